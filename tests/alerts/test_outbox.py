"""What must leave: a real mail server, a real receiver of calls, and an outbox between."""

from __future__ import annotations

import datetime as dt
import http.server
import json
import signal
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from sqlalchemy import select

from alerts import outbox, writeback
from alerts.cases import CaseStore, acts, database
from alerts.cases.access import User
from alerts.cases.schema import OUTBOX
from alerts.digest import digests
from alerts.mail import Post
from alerts.outbox import WAITS, Item, put, send_due, try_again, waiting
from pipelines.notice import tell_failure
from pipelines.service import open_service
from tests.alerts.served import MORNING, NIGHT, World
from vigie.errors import ConfigurationError
from vigie.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Row

    from alerts.outbox import Channel
    from tests.alerts.conftest import Mailbox

SECRET = "s3cret"  # noqa: S105 - made up


@pytest.fixture
def receipts(tmp_path: Path) -> Path:
    folder = tmp_path / "receipts"
    folder.mkdir()
    return folder


def at(instant: dt.datetime) -> Callable[[], dt.datetime]:
    return lambda: instant


def by_mail(port: int, *, production: bool = True) -> dict[str, Channel]:
    post = Post("127.0.0.1", port, "vigie@example.org", starttls=False, production=production, test_address="essai@example.org")
    return {"mail": outbox.mailer(post)}


def test_an_advisor_with_somebody_to_contact_gets_one_mail_with_counts_and_a_link_and_no_name(
    world: World, mailbox: tuple[Mailbox, int], receipts: Path
) -> None:
    box, port = mailbox
    box.mails.clear()
    items = digests(world.cases.engine, "https://vigie.example.org", "Europe/Paris")
    assert put(world.cases.engine, items, MORNING) == 2
    # A night published again puts nothing down twice.
    assert put(world.cases.engine, digests(world.cases.engine, "https://vigie.example.org", "Europe/Paris"), MORNING) == 0

    assert send_due(world.cases.engine, by_mail(port), at(MORNING), receipts).sent == 2
    assert send_due(world.cases.engine, by_mail(port), at(MORNING + dt.timedelta(hours=1)), receipts).sent == 0

    assert sorted(recipients for recipients, _ in box.mails) == [["A@example.org"], ["B@example.org"]]
    mail = next(mail for recipients, mail in box.mails if recipients == ["A@example.org"])
    text, html = (part.get_payload(decode=True).decode() for part in mail.get_payload())
    for body in (text, html):
        assert "2 personnes à contacter" in body
        assert "https://vigie.example.org/liste" in body
        assert "Données simulées" in body
        assert not any(name in body for name in ("Amélie", "Ange", "e1", "Soudeur"))
    assert mail["Auto-Submitted"] == "auto-generated"


def test_the_mail_counts_as_new_only_those_of_whom_all_is_new(world: World) -> None:
    from alerts.cases.store import Published
    from tests.alerts.made import risk_alerts

    night = dt.date(2026, 3, 5)
    carried = risk_alerts(night, "e1").with_columns(state=pl.lit("sent"))
    owed = risk_alerts(night, "e1").with_columns(kind=pl.lit("mid_course_contact_due"), alert_id=pl.lit("m"))
    made = pl.concat([carried, owed, risk_alerts(night, "e2")], how="vertical_relaxed")
    made = made.with_columns(territory_id=pl.lit("T"), low_confidence=pl.lit(value=False))
    posts = pl.DataFrame({"advisor_id": ["A"], "operator": ["cep"], "territory_id": ["T"]}).with_columns(active_to=pl.lit(None, pl.Date))
    world.cases.publish(Published(night, MORNING, made, posts=posts))

    (mail,) = digests(world.cases.engine, "https://v.example", "Europe/Paris")

    for body in (mail.text, mail.html or ""):
        assert "2 personnes à contacter" in body
        assert ", dont 1 nouvelle." in body


def test_no_mail_leaves_before_the_morning_and_none_after_the_evening(world: World, mailbox: tuple[Mailbox, int], receipts: Path) -> None:
    put(world.cases.engine, digests(world.cases.engine, "https://vigie.example.org", "Europe/Paris"), MORNING)
    night = dt.datetime(2026, 3, 5, 5, 59, tzinfo=dt.UTC)
    evening = dt.datetime(2026, 3, 5, 19, 1, tzinfo=dt.UTC)

    assert send_due(world.cases.engine, by_mail(mailbox[1]), at(night), receipts).sent == 0
    late = send_due(world.cases.engine, by_mail(mailbox[1]), at(evening), receipts)
    assert (late.sent, late.given_up) == (0, 2)
    assert try_again(world.cases.engine, evening) == 0


def test_a_lead_gets_a_recap_on_mondays_only(world: World) -> None:
    from alerts.cases.store import Published
    from tests.alerts.made import risk_alerts

    assert not any(item.key.startswith("recap/") for item in digests(world.cases.engine, "https://v.example", "Europe/Paris"))
    sunday = dt.date(2026, 3, 8)
    made = risk_alerts(sunday).with_columns(territory_id=pl.lit("T"), low_confidence=pl.lit(value=False))
    world.cases.publish(Published(sunday, MORNING, made))

    (recap,) = digests(world.cases.engine, "https://v.example", "Europe/Paris")

    assert (recap.to, recap.key.split("/")[0], recap.key.split("/")[2]) == ("lead@example.org", "recap", "2026-03-09")
    assert "https://v.example/equipe" in recap.text


def test_outside_production_all_mail_goes_to_the_test_address(world: World, mailbox: tuple[Mailbox, int], receipts: Path) -> None:
    box, port = mailbox
    box.mails.clear()
    put(world.cases.engine, digests(world.cases.engine, "https://v.example", "Europe/Paris"), MORNING)

    send_due(world.cases.engine, by_mail(port, production=False), at(MORNING), receipts)

    assert {recipient for recipients, _ in box.mails for recipient in recipients} == {"essai@example.org"}


def test_a_server_that_is_away_is_tried_again_and_given_up_in_the_end(cases: CaseStore, receipts: Path) -> None:
    put(cases.engine, [Item("k", "mail", "a@example.org", "s", "t")], MORNING)
    now = MORNING
    for wait in WAITS:
        assert send_due(cases.engine, by_mail(1), at(now), receipts).failed == 1
        assert send_due(cases.engine, by_mail(1), at(now + wait - dt.timedelta(seconds=1)), receipts).failed == 0
        now += wait
    last = send_due(cases.engine, by_mail(1), at(now), receipts)

    assert (last.failed, last.given_up) == (0, 1)
    (row,) = waiting(cases.engine)
    assert (row.attempts, row.next_at) == (len(WAITS) + 1, None)
    assert "ConnectionRefusedError" in row.fault
    assert try_again(cases.engine, now) == 1


@pytest.mark.parametrize(("reply", "tried_again"), [("550 no such mailbox", False), ("451 later", True)])
def test_a_bounce_is_noted_and_not_tried_again(
    cases: CaseStore, mailbox: tuple[Mailbox, int], reply: str, receipts: Path, *, tried_again: bool
) -> None:
    box, port = mailbox
    box.refused = {"gone@example.org": reply}
    items = [Item("a", "mail", "gone@example.org", "s", "t"), Item("b", "mail", "here@example.org", "s", "t")]
    put(cases.engine, items, MORNING)

    done = send_due(cases.engine, by_mail(port), at(MORNING), receipts)

    box.refused = {}
    assert (done.sent, done.failed, done.given_up) == (1, int(tried_again), int(not tried_again))
    (row,) = waiting(cases.engine)
    assert reply[:3] in row.fault
    assert "gone" not in row.fault


def test_two_senders_send_one_mail(cases: CaseStore, receipts: Path) -> None:
    put(cases.engine, [Item("k", "mail", "a@example.org", "s", "t")], MORNING)
    sent: list[str] = []

    def slow(item: Row[Any], taken: Callable[[], None]) -> None:
        # While one sender is at it, another one starts.
        if not sent:
            sent.append(item.key)
            send_due(cases.engine, {"mail": lambda other, _: sent.append(other.key)}, at(MORNING), receipts)
            taken()

    send_due(cases.engine, {"mail": slow}, at(MORNING), receipts)

    assert sent == ["k"]


def test_a_round_that_lasts_leaves_a_second_sender_only_what_nobody_has_in_hand(cases: CaseStore, receipts: Path) -> None:
    put(cases.engine, [Item(name, "mail", "a@example.org", "s", "t") for name in "abcd"], MORNING)
    clock, sent = [MORNING], list[str]()

    def quick(item: Row[Any], taken: Callable[[], None]) -> None:
        sent.append(item.key)
        taken()

    def slow(item: Row[Any], taken: Callable[[], None]) -> None:
        clock[0] += WAITS[0] / 2
        if item.key == "c":
            send_due(cases.engine, {"mail": quick}, at(clock[0]), receipts)
        quick(item, taken)

    send_due(cases.engine, {"mail": slow}, lambda: clock[0], receipts)

    assert sent == ["a", "b", "d", "c"]


def test_of_two_senders_that_saw_the_same_item_one_has_it(cases: CaseStore) -> None:
    put(cases.engine, [Item("k", "mail", "a@example.org", "s", "t")], MORNING)
    with cases.engine.connect() as connection:
        seen = connection.execute(select(OUTBOX)).one()

    assert [outbox._claim(cases.engine, seen, MORNING) for _ in range(2)] == [True, False]


class Killed(BaseException):
    """What no code of ours catches."""


def test_a_sender_killed_before_its_note_leaves_that_mail_in_doubt_and_it_goes_again_byte_for_byte(
    cases: CaseStore, mailbox: tuple[Mailbox, int], receipts: Path
) -> None:
    box, port = mailbox
    box.mails.clear()
    put(cases.engine, [Item(name, "mail", f"{name}@example.org", "s", "t", "<p>t</p>") for name in "abc"], MORNING)
    send = by_mail(port)["mail"]

    def killed_at_b(item: Row[Any], taken: Callable[[], None]) -> None:
        def note() -> None:
            if item.key == "b":
                raise Killed
            taken()

        send(item, note)

    with pytest.raises(Killed):
        send_due(cases.engine, {"mail": killed_at_b}, at(MORNING), receipts)
    told = {row.key: (row.attempts, row.fault) for row in waiting(cases.engine)}
    done = send_due(cases.engine, {"mail": send}, at(MORNING + WAITS[0]), receipts)

    assert told == {"b": (1, outbox.IN_DOUBT), "c": (0, None)}
    assert (done.sent, done.in_doubt) == (2, 1)
    assert sorted(recipients[0][0] for recipients, _ in box.mails) == ["a", "b", "b", "c"]
    first, copy = (mail for recipients, mail in box.mails if recipients == ["b@example.org"])
    assert first.as_bytes() == copy.as_bytes()
    assert first["Date"].datetime == MORNING
    assert waiting(cases.engine) == []


def test_a_sender_killed_between_receipt_and_note_is_believed_and_the_mail_leaves_once(
    cases: CaseStore, mailbox: tuple[Mailbox, int], receipts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, port = mailbox
    box.mails.clear()
    put(cases.engine, [Item(f"digest/{name}", "mail", f"{name}@example.org", "s", "t") for name in "ab"], MORNING)

    def killed(*_: object, sent_at: dt.datetime | None = None, **__: object) -> None:
        assert sent_at
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "_note", killed)
        with pytest.raises(Killed):
            send_due(cases.engine, by_mail(port), at(MORNING), receipts)
    done = send_due(cases.engine, by_mail(port), at(MORNING + WAITS[0]), receipts)

    assert (done.settled, done.sent, done.in_doubt) == (1, 1, 0)
    assert sorted(recipients[0][0] for recipients, _ in box.mails) == ["a", "b"]
    assert waiting(cases.engine) == []
    assert list(receipts.iterdir()) == []


def test_a_receipt_of_what_is_noted_changes_nothing_and_goes(cases: CaseStore, mailbox: tuple[Mailbox, int], receipts: Path) -> None:
    put(cases.engine, [Item("k", "mail", "a@example.org", "s", "t")], MORNING)
    send_due(cases.engine, by_mail(mailbox[1]), at(MORNING), receipts)
    with cases.engine.connect() as connection:
        row = connection.execute(select(OUTBOX)).one()
    (receipts / outbox._receipt(row)).touch()
    (receipts / "notes.txt").touch()

    assert send_due(cases.engine, by_mail(mailbox[1]), at(MORNING + WAITS[0]), receipts).settled == 0
    with cases.engine.connect() as connection:
        assert connection.execute(select(OUTBOX)).one() == row
    assert [path.name for path in receipts.iterdir()] == ["notes.txt"]


def test_a_disk_too_full_for_a_receipt_still_has_the_note(
    cases: CaseStore, mailbox: tuple[Mailbox, int], receipts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cases.engine, [Item("k", "mail", "a@example.org", "s", "t")], MORNING)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.touch", full)

    assert send_due(cases.engine, by_mail(mailbox[1]), at(MORNING), receipts).sent == 1
    assert waiting(cases.engine) == []


def test_a_mail_is_noted_before_the_farewell_and_sent_once_however_that_goes(
    cases: CaseStore, mailbox: tuple[Mailbox, int], receipts: Path
) -> None:
    box, port = mailbox
    box.mails.clear()
    put(cases.engine, [Item("k", "mail", "a@example.org", "s", "t")], MORNING)
    left: list[int] = []
    box.farewell, box.at_farewell = "421 too busy to say goodbye", lambda: left.append(len(waiting(cases.engine)))

    done = send_due(cases.engine, by_mail(port), at(MORNING), receipts)

    box.farewell, box.at_farewell = "221 bye", lambda: None
    assert left == [0]
    assert (done.sent, done.failed) == (1, 0)
    assert send_due(cases.engine, by_mail(port), at(MORNING + WAITS[0]), receipts).sent == 0
    assert len(box.mails) == 1


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_sender_asked_to_stop_finishes_the_item_in_hand_and_begins_no_other(
    cases: CaseStore, asked: signal.Signals, receipts: Path
) -> None:
    put(cases.engine, [Item(name, "mail", "a@example.org", "s", "t") for name in "ab"], MORNING)

    def stop(*_: object) -> None:
        raise Killed

    def interrupted(_: Row[Any], taken: Callable[[], None]) -> None:
        signal.raise_signal(asked)
        taken()

    before = signal.signal(asked, stop)
    try:
        with pytest.raises(Killed):
            send_due(cases.engine, {"mail": interrupted}, at(MORNING), receipts)
        assert signal.getsignal(asked) is stop
    finally:
        signal.signal(asked, before)

    assert [(row.key, row.attempts) for row in waiting(cases.engine)] == [("b", 0)]


@pytest.mark.parametrize("port", [None, 1])
def test_with_the_case_store_locked_the_operator_is_told_by_mail_and_the_night_s_own_error_stays(
    tmp_path: Path, mailbox: tuple[Mailbox, int], monkeypatch: pytest.MonkeyPatch, port: int | None
) -> None:
    box, there = mailbox
    box.mails.clear()
    address = {"operator_mail": "o@example.org", "mail_test_address": "essai@example.org"}
    service = open_service(Settings(home=tmp_path, smtp_host="127.0.0.1", smtp_port=port or there, smtp_starttls=False, **address))
    CaseStore(service.cases_url).engine.dispose()
    as_server = database._as_server

    def impatient(connection: Any, record: object) -> None:  # noqa: ANN401 - the driver's own
        as_server(connection, record)
        connection.execute("PRAGMA busy_timeout = 100")

    monkeypatch.setattr(database, "_as_server", impatient)
    with closing(sqlite3.connect(service.home.cases, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        tell_failure(service, NIGHT, "boom")

    assert ["boom" in mail.get_content() for _, mail in box.mails] == ([] if port else [True])


class Receiver(http.server.BaseHTTPRequestHandler):
    """Another system: keeps what it is sent, answers as it is told."""

    got: list[tuple[dict[str, str], str]] = []  # noqa: RUF012 - emptied by the fixture
    status = 204

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.got.append((dict(self.headers), body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own
        """Nothing in the test's output."""


@pytest.fixture
def receiver() -> Iterator[tuple[type[Receiver], str]]:
    Receiver.got, Receiver.status = [], 204
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Receiver, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def answered(world: World) -> pl.DataFrame:
    advisor = User("u", "a@example.org", "A", "advisor", "A", "cep", "T")
    acts.act(world.cases.engine, advisor, "e1", acts.Answer("reached", note="Rappeler Amélie", barrier="mobility"), MORNING)
    acts.hand_over(world.cases.engine, advisor, "e2", "B", MORNING + dt.timedelta(minutes=1))
    day = NIGHT + dt.timedelta(days=1)
    end = MORNING + dt.timedelta(hours=1)
    return writeback.records(world.cases.answers(day, end), world.cases.moves(day, end))


def test_what_is_given_back_tells_acts_and_moves_and_keeps_notes_here(world: World) -> None:
    rows = answered(world)

    assert rows.select("record", "code", "outcome", "learner_id", "to_advisor_id", "barrier", "at").rows() == [
        ("action", "reached", "reached", "e1", None, "mobility", "2026-03-05T08:00:00Z"),
        ("move", "hand_over", None, "e2", "B", None, "2026-03-05T08:01:00Z"),
    ]
    assert "Rappeler" not in rows.write_csv()


def test_a_call_is_signed_tried_again_and_made_once(world: World, receiver: tuple[type[Receiver], str], receipts: Path) -> None:
    there, url = receiver
    there.status = 503
    items = writeback.calls(answered(world), NIGHT, url)
    put(world.cases.engine, items, MORNING)
    channels = {"webhook": writeback.caller(SECRET, lambda: MORNING)}

    assert send_due(world.cases.engine, channels, at(MORNING), receipts).failed == 1
    there.status = 204
    assert send_due(world.cases.engine, channels, at(MORNING + WAITS[0]), receipts).sent == 1
    assert send_due(world.cases.engine, channels, at(MORNING + WAITS[-1]), receipts).sent == 0

    (first, _), (headers, body) = there.got
    assert first["webhook-id"] == headers["webhook-id"] == items[0].key
    assert headers["webhook-signature"] == writeback.signature(SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] != writeback.signature("other", headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert [record["code"] for record in json.loads(body)["records"]] == ["reached", "hand_over"]


def test_signature_is_the_one_of_the_specification() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the specification's own example
    signed = writeback.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_names_travel_over_https_only() -> None:
    rows = pl.DataFrame(schema=writeback.COLUMNS)
    with pytest.raises(ConfigurationError, match="https"):
        writeback.calls(rows, NIGHT, "http://other.example.org/hook")
    assert writeback.calls(rows, NIGHT, "https://other.example.org/hook") == []
