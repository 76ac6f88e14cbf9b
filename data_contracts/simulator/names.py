"""French words of the simulated world: people, organisations, courses. Nobody and nothing real is meant."""

from __future__ import annotations

from typing import Final

GIVEN_NAMES: Final = (
    "Zoé", "Léa", "Chloé", "Anaïs", "Inès", "Fatou", "Aïcha", "Maëlys", "Noémie", "Élodie", "Thérèse", "Ngoc", "Mariam", "Sofia", "Ana",
    "Théo", "Loïc", "Jérôme", "Mamadou", "Yanis", "Karim", "Joël", "Rémi", "Noël", "Duc", "Ivan", "José", "Samir", "Benoît", "François",
    "Marie-Ange", "Hélène", "Gaëlle", "Sümeyye", "Oumou", "Leïla", "Agnieszka", "Priya", "Mireille", "Océane", "Jean-Loup", "Cédric",
    "Moussa", "Emre", "Andrei", "Thiago", "Arthur", "Gérald", "Ousmane", "Lucas",
)  # fmt: skip
FAMILY_NAMES: Final = (
    "D'Angelo", "N'Diaye", "Le Goff", "Lefèvre", "Müller", "García", "Benali", "Traoré", "Nguyen", "Dupont", "Lemaître", "O'Brien",
    "Da Silva", "Petit-Jean", "Ait Ahmed", "Kowalski", "Haddad", "Rasoanaivo", "Bonnet", "Marchand", "Çelik", "Ferrière", "Diallo", "Roux",
    "Kerguélen", "L'Hermitte", "Bouzidi", "Camara", "Popescu", "Fernandes", "Tran Van", "Étienne-Lopez", "Hoarau", "Payet", "Vasseur",
    "Guérin", "Mbemba", "Öztürk", "Castéra", "de La Tour", "Sánchez", "Belkacem", "Chauvin", "Rajaonarison", "Leclercq", "Zieliński",
)  # fmt: skip
LANGUAGES: Final = ("fr", "ar", "pt", "tr", "en", "es", "uk", "ps")
LANGUAGE_SHARES: Final = (0.86, 0.04, 0.02, 0.02, 0.02, 0.015, 0.015, 0.01)
"""Language preferred (ours)."""

PROVIDER_KINDS: Final = (
    "Centre de formation", "Atelier", "École des métiers", "Institut", "Maison des compétences", "Campus", "Association", "Académie",
)  # fmt: skip
PROVIDER_PLACES: Final = (
    "de l'Étang-Bleu", "des Trois-Chênes", "du Vieux-Moulin", "de la Côte-Fleurie", "d'Entre-Deux-Rives", "du Pré-aux-Clercs",
    "de l'Île-aux-Hérons", "des Quatre-Vents", "de la Forêt-Noire", "du Grand-Hêtre", "des Églantiers", "de la Reine-Claude",
    "du Pont-Cassé", "de l'Abbaye-Neuve", "des Hauts-Prés", "de la Garenne", "du Phare-Éteint", "des Salines", "de l'Écluse",
    "du Petit-Cèdre", "de la Tuilerie", "des Lavandes", "du Mont-Clair", "de la Source-Vive",
)  # fmt: skip

COURSES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "certification": (
        ("Agent de maintenance", "31600"),
        ("Assistant comptable", "32600"),
        ("Aide-soignant", "43400"),
        ("Soudeur", "23000"),
        ("Développeur web", "30800"),
        ("Cuisinier", "42700"),
    ),
    "professionalisation": (("Cariste", "31700"), ("Vente et conseil", "34500"), ("Préparateur de commandes", "31800")),
    "basic_skills": (("Compétences clés", "15000"), ("Français à visée professionnelle", "15200")),
    "remobilisation": (("Rebond vers l'emploi", "15001"), ("Prépa compétences", "15002")),
    "other": (("Création d'entreprise", "32000"),),
}
"""Titles by objective, with a domain of the form of a Formacode: three digits for the field, two of our own."""
