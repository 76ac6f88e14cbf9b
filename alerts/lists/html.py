"""The list as a page that stands alone: no script, no request to anywhere."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from alerts import sessions
from alerts.language import day

if TYPE_CHECKING:
    from alerts.lists.page import AdvisorList


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("alerts.lists"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(day=day, dialled=dialled, address=address)
    return environment.get_template("list.html")


def dialled(phone: str) -> str:
    """The digits of a phone number, as a link needs them."""
    return re.sub(r"[^\d+]", "", phone)


def address(email: str) -> str:
    """An e-mail address as a link: `?bcc=` in a delivery stays part of the address and never adds a recipient."""
    return quote(email, safe="@")


def render(advisor_list: AdvisorList) -> str:
    """The page; every text that comes from a delivery is escaped."""
    return _template().render(page=advisor_list, sessions=sessions)
