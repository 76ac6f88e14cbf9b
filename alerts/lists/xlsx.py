"""The list as a spreadsheet: every cell is text, whatever it looks like."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import xlsxwriter

from alerts import sessions

if TYPE_CHECKING:
    from io import BytesIO
    from pathlib import Path

    from alerts.lists.page import AdvisorList, Line

COLUMNS: Final = (
    ("Rang", 6),
    ("Personne", 24),
    ("Téléphone", 16),
    ("Courriel", 26),
    ("Formation", 34),
    ("Sujet", 24),
    ("Pourquoi", 52),
    ("Ce qui a changé", 44),
    ("À faire", 48),
    ("Depuis", 18),
    ("Avant", 18),
    ("Estimation", 40),
)
_SAME_EVERY_TIME: Final = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - the format knows no zone; a clock here would change the bytes


def write(advisor_list: AdvisorList, to: Path | BytesIO) -> None:
    """Write the list to a file or to memory; the same list gives the same bytes.

    Nothing is ever read as a formula, a link or a number (OWASP, CSV injection): a name such as `=1+1` stays a name.
    """
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(to, {"in_memory": True, **plain})
    book.set_properties({"title": advisor_list.title, "created": _SAME_EVERY_TIME})
    sheet = book.add_worksheet("À contacter")
    head = book.add_format({"bold": True, "bg_color": "#1f4e8c", "font_color": "#ffffff", "text_wrap": True, "valign": "top"})
    cell = book.add_format({"text_wrap": True, "valign": "top"})
    intro = [advisor_list.title, advisor_list.recipient, f"D'après ce qui était connu le {advisor_list.as_of:%d/%m/%Y} au soir"]
    if advisor_list.notice:
        intro.append(advisor_list.notice)
    if advisor_list.waiting:
        intro.append(f"{advisor_list.waiting} en attente, au-delà de ce que la semaine permet")
    for row, text in enumerate(intro):
        sheet.write_string(row, 0, text)
    top = len(intro) + 1
    for column, (name, width) in enumerate(COLUMNS):
        sheet.set_column(column, column, width)
        sheet.write_string(top, column, name, head)
    for row, line in enumerate(advisor_list.lines, top + 1):
        for column, text in enumerate(_texts(line)):
            sheet.write_string(row, column, text, cell)
    sheet.freeze_panes(top + 1, 2)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(top)
    if advisor_list.sessions:
        # Apart: above the table they would be frozen with it.
        apart = book.add_worksheet("Sessions")
        apart.set_column(0, 0, 120)
        for row, text in enumerate((sessions.title(), sessions.why(), *advisor_list.sessions)):
            apart.write_string(row, 0, text, cell)
    book.close()


def _texts(line: Line) -> list[str]:
    return [
        str(line.rank),
        line.who,
        line.phone,
        line.email,
        line.course,
        ", ".join(line.tags),
        "\n".join(line.why),
        "\n".join(line.changed),
        "\n".join(line.actions),
        line.since,
        line.until,
        f"{line.likelihood} {line.caution}".strip(),
    ]
