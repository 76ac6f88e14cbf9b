"""The list in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from alerts import sessions
from alerts.language import day

if TYPE_CHECKING:
    from alerts.lists.page import AdvisorList


def table(advisor_list: AdvisorList, most: int = 8) -> Table:
    """The first `most` people of a list."""
    title = f"{advisor_list.title} : {advisor_list.recipient}, {day(advisor_list.as_of)} {advisor_list.as_of.year}\n{advisor_list.notice}"
    grid = Table("Qui", "Pourquoi", "Ce qui a changé", "Que faire", "Avant le", title=title, show_lines=True)
    for line in advisor_list.lines[:most]:
        who = "\n".join(part for part in (f"{line.rank}. {line.who}", line.phone, ", ".join(line.tags)) if part)
        changed = "\n".join(line.changed)
        # Text, not markup: a name in square brackets is a name.
        grid.add_row(*(Text(text) for text in (who, "\n".join(line.why), changed, "\n".join(line.actions), line.until)))
    left = len(advisor_list.lines) - most
    more = [f"{left} de plus dans la liste"] if left > 0 else []
    waiting = [f"{advisor_list.waiting} en attente au-delà de ce que la semaine permet"] if advisor_list.waiting else []
    groups = [f"{sessions.title()} :", *advisor_list.sessions] if advisor_list.sessions else []
    # Text, not markup: so is the title of a course.
    grid.caption = Text("\n".join([" ; ".join(more + waiting), *groups]).strip())
    return grid
