"""The list as a page that stands alone: no script, no request to anywhere."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from alerts.wording import day

if TYPE_CHECKING:
    from alerts.lists.rows import AdvisorList


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("alerts.lists"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["day"] = day
    return environment.get_template("list.html")


def render(advisor_list: AdvisorList) -> str:
    """The page; every text that comes from a delivery is escaped."""
    return _template().render(page=advisor_list)
