"""What a supplier is sent back: every value at fault in their own file, in French, as a workbook or csv. No cell is ever a formula."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.border import WITHHELD
from vigie.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

HEADERS: Final = ("Ligne", "Colonne", "Valeur reçue", "Raison", "Valeur admise la plus proche")
_WIDTHS: Final = (8, 28, 30, 70, 30)
_NEAREST: Final = re.compile(r"; nearest: (.*)$")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula (OWASP, CSV injection)."""

REASONS: Final = tuple(
    (re.compile(pattern), french)
    for pattern, french in (
        (r"a value is required", "valeur obligatoire"),
        (r"below the smallest value allowed: (.*)", "inférieur au minimum admis : {0}"),
        (r"above the largest value allowed: (.*)", "supérieur au maximum admis : {0}"),
        (r"empty.*", "vide"),
        (r"too long: (.*)", "trop long : {0} caractères au plus"),
        (r"not of the form expected.*", "n'a pas la forme attendue"),
        (r"not a number", "n'est pas un nombre"),
        (r"infinite", "nombre infini"),
        (r"another row of the file says otherwise of the same fact", "une autre ligne du fichier dit autre chose du même fait"),
        (r"broken rule: session ends on or after its start", "la session finit avant son début"),
        (r"broken rule: planned exit is on or after entry", "la sortie prévue est avant l'entrée"),
        (r"broken rule: work is marked only once handed in", "une note sans date de remise"),
        (r"broken rule: ownership ends on or after its start", "le suivi finit avant son début"),
        (r"expected a date such as (.*)", "date attendue, par exemple {0}"),
        (r"expected an instant .*such as (.*)", "date et heure attendues avec leur décalage, par exemple {0}"),
        (r"expected true or false", "vrai ou faux attendu (true, false)"),
        (r"expected a whole number", "nombre entier attendu"),
        (r"expected a number with a decimal point", "nombre attendu, avec un point décimal"),
        (r"expected a number such as (.*)", "nombre attendu, par exemple {0}"),
        (r"expected one of (.*)", "valeurs admises : {0}"),
        (r"cannot be read", "illisible"),
        (r"(\d+) fields where the header has (\d+)", "{0} champs, alors que l'en-tête en a {1}"),
        (r"shaped like a social security number.*", "ressemble à un numéro de sécurité sociale : ne jamais le transmettre"),
        (r"a formula that was never calculated", "formule jamais calculée : ouvrir le classeur, l'enregistrer, le renvoyer"),
        (r"the cell holds an error", "la cellule contient une erreur"),
        (r"everyone of the provider is marked absent that day.*", "tout le monde est marqué absent ce jour-là : à confirmer"),
        (
            r"provider (.*): all of (\d+) learners are marked absent, (\S+) to (\S+)",
            "organisme {0} : {1} personnes sur {1} sont marquées absentes, du {2} au {3} : à confirmer, ou à renvoyer corrigé",
        ),
        (r"(\d+) rows of (\S+) where (\d+) are usual", "{0} lignes, {2} d'habitude : à confirmer, ou à renvoyer corrigé"),
        (
            r"column (.*) is unlike the past of this sender: (.*) in (\S+) of rows, (\S+) before",
            "colonne {0} : {1} dans {2} des lignes, {3} auparavant : à confirmer, ou à renvoyer corrigé",
        ),
        (
            r"a full export that leaves out (\d+) of the (\d+) facts of (\S+) it told before",
            "export complet où manquent {0} des {1} lignes données auparavant : à confirmer, ou à renvoyer complet",
        ),
    )
)
"""Reasons of the quarantine, and what a French supplier reads. A test holds that none is missing."""
_COLUMNS: Final = {"row": "toute la ligne", "file": "tout le fichier"}


def in_french(reason: str) -> str:
    """A reason of the quarantine in French."""
    bare = _NEAREST.sub("", reason)
    for pattern, french in REASONS:
        if found := pattern.fullmatch(bare):
            return french.format(*found.groups())
    return bare


def lines(faults: pl.DataFrame) -> pl.DataFrame:
    """Columns of `HEADERS`, one row a value at fault, by line.

    Args:
        faults: line, column, value, reason.
    """
    reasons = faults["reason"].unique().to_list()
    french = pl.col("reason").replace_strict({reason: in_french(reason) for reason in reasons}, return_dtype=pl.String)
    value = pl.when(pl.col("value") == WITHHELD).then(pl.lit("(non reproduite)")).otherwise(pl.col("value").fill_null(""))
    nearest = pl.col("reason").str.extract(_NEAREST.pattern, 1).fill_null("")
    told = faults.sort("line", "column").select("line", pl.col("column").replace(_COLUMNS), value, french, nearest.alias("nearest"))
    return told.unique(maintain_order=True).rename(dict(zip(told.columns, HEADERS, strict=True)))


def write(faults: pl.DataFrame, to: Path) -> None:
    """Write the report: a workbook when the name ends in .xlsx, otherwise csv with semicolons for a French spreadsheet.

    Args:
        faults: line, column, value, reason.
        to: the file.
    """
    told = lines(faults)
    if to.suffix == ".xlsx":
        write_whole(to, lambda part: _workbook(told, part))
        return
    texts = [name for name, dtype in told.schema.items() if dtype == pl.String]
    safe = told.with_columns(pl.col(name).str.replace(f"^([{re.escape(''.join(_FORMULA))}])", "'${1}") for name in texts)
    write_whole(to, lambda part: safe.write_csv(part, separator=";", include_bom=True))


def _workbook(told: pl.DataFrame, to: Path) -> None:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.styles import Alignment, Font

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Erreurs")
    for letter, width in zip("ABCDE", _WIDTHS, strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "A2"
    for number, row in enumerate((HEADERS, *told.iter_rows())):
        cells = []
        for value in row:
            cell = WriteOnlyCell(sheet, value if isinstance(value, int) else ILLEGAL_CHARACTERS_RE.sub("\ufffd", value)[:_CELL])
            if isinstance(value, str):
                cell.data_type = "s"  # whatever it looks like
            cell.font, cell.alignment = Font(bold=not number), Alignment(wrap_text=True, vertical="top")
            cells.append(cell)
        sheet.append(cells)
    book.save(to)


_CELL: Final = 32_000
"""Characters a cell can hold, nearly."""
