from __future__ import annotations

import pytest

from alerts.mail import MailError, Post
from vigie.errors import ConfigurationError


def test_no_mail_can_reach_people_by_mistake() -> None:
    with pytest.raises(ConfigurationError, match="test address"):
        Post("mail.example.org", 587, "vigie@example.org")
    with pytest.raises(ConfigurationError, match="No mail server"):
        Post("", 587, "vigie@example.org", production=True)


def test_a_mail_that_cannot_leave_says_so_and_tells_neither_address_nor_secret() -> None:
    post = Post("127.0.0.1", 1, "vigie@example.org", user="u", password="s3cret", test_address="essai@example.org")  # noqa: S106 - made up

    with pytest.raises(MailError) as failed:
        post.send("zoe@example.org", "Bonjour", "texte")

    assert "ConnectionRefusedError" in str(failed.value)
    assert not {"s3cret", "zoe"} & set(str(failed.value).replace("@", " ").split())
    assert "s3cret" not in repr(post)


@pytest.mark.parametrize("field", ["to", "subject"])
def test_a_line_break_never_adds_a_header(field: str) -> None:
    post = Post("127.0.0.1", 1, "vigie@example.org", production=True)
    given = {"to": "zoe@example.org", "subject": "Bonjour", "text": "texte"} | {field: "x@example.org\nBcc: spy@example.org"}

    with pytest.raises(MailError, match="ValueError"):
        post.send(**given)
