"""How good a ranking, its probabilities and the alerts it leads to are, with intervals by learner."""

from models.evaluation.measures import figures

__all__ = ["figures"]
