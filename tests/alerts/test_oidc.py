"""Log-in by OpenID Connect against a real provider in a process of its own, and against one that signs what it says of people."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import subprocess
import sys
import threading
import time
from base64 import urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from alerts.inbox.oidc import LoginError, Provider
from tests.alerts.served import ADDRESS, World, fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient

    from alerts.cases import CaseStore

SIRET = "13002526500013"
USERS = {
    "a": {"email": "A@example.org", "siret": SIRET},
    "stranger": {"email": "nobody@example.org", "siret": SIRET},
    "elsewhere": {"email": "A@example.org", "siret": "99999999999999"},
    "other": {"email": "A@example.org", "siret": "11111111111111"},
    "dpo": {"email": "dpo@example.org", "siret": "11111111111111"},
    "unverified": {"email": "A@example.org", "siret": SIRET, "email_verified": False},
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider's own process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    claims = [argument for sub, said in USERS.items() for argument in ("--user-claims", json.dumps({"sub": sub, **said}))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), "--host", "127.0.0.1", *claims]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    address = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            httpx2.get(f"{address}/.well-known/openid-configuration", timeout=1).raise_for_status()
            break
        except httpx2.HTTPError:
            time.sleep(0.1)
    yield address
    process.terminate()
    process.wait()


def provider_at(issuer: str) -> Provider:
    return Provider("ProConnect", issuer, "vigie", "s3cret", {SIRET: "cep", "11111111111111": "other"}, scope="openid email")


@pytest.fixture
def world(cases: CaseStore, issuer: str) -> World:
    fill(cases)
    world = World(cases, provider_at(issuer))
    # The provider's clock is the real one.
    world.clock.at = dt.datetime.now(dt.UTC)  # noqa: TID251 - tokens are dated by another process
    return world


def vouched(browser: TestClient, sub: str) -> str:
    """Where the provider sends the person back to, once they said who they are."""
    assert 'href="/oidc"' in browser.get("/connexion").text
    away = browser.get("/oidc", follow_redirects=False).headers["location"]
    back = httpx2.post(away, data={"sub": sub}, follow_redirects=False, timeout=10)
    assert back.headers["location"].startswith(f"{ADDRESS}/oidc/retour?")
    return back.headers["location"]


def test_an_advisor_whom_the_provider_vouches_for_reads_their_list(world: World) -> None:
    browser = world.browser()

    page = browser.get(vouched(browser, "a"))

    assert page.url.path == "/liste"
    assert "Amélie" in page.text
    assert ("oidc", "allowed") in world.log("log_in")


def test_an_account_of_no_operator_may_come_from_any_known_organisation(world: World) -> None:
    browser = world.browser()
    assert browser.get(vouched(browser, "dpo")).url.path == "/journal"


@pytest.mark.parametrize("sub", ["stranger", "elsewhere", "other", "unverified"])
def test_nobody_else_comes_in(world: World, sub: str) -> None:
    browser = world.browser()

    refused = browser.get(vouched(browser, sub))

    assert refused.status_code == 403
    assert browser.get("/liste").url.path == "/connexion"
    assert world.log("log_in")[-1][1] == "refused"


def test_a_log_in_is_tied_to_the_browser_it_began_in_and_over_once_used(world: World) -> None:
    browser, victim = world.browser(), world.browser()
    back = vouched(browser, "a")

    # Somebody sends their own link to another: it logs nobody in, and is spent for its owner no more than once.
    assert victim.get(back).status_code == 403
    assert browser.get(back).url.path == "/liste"
    browser.cookies.delete("vigie")
    assert browser.get(back).status_code == 403


@pytest.mark.parametrize("said", [b"<html>down for maintenance</html>", b"[]", b'{"issuer": "ISSUER"}'])
def test_a_provider_that_answers_nonsense_is_a_page_and_a_line_in_the_log(cases: CaseStore, said: bytes) -> None:
    class Nonsense(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said.replace(b"ISSUER", issuer.encode()))

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Nonsense)
    issuer = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fill(cases)
    world = World(cases, provider_at(issuer))

    refused = world.browser().get("/oidc")
    server.shutdown()
    server.server_close()

    assert refused.status_code == 403
    assert "fournisseur d&#39;identité" in refused.text
    assert world.log("log_in")[-1][1] == "refused"


def test_a_log_in_left_open_for_too_long_is_over(world: World) -> None:
    browser = world.browser()
    back = vouched(browser, "a")
    world.clock.at += dt.timedelta(minutes=16)
    assert browser.get(back).status_code == 403


def test_state_nonce_and_proof_are_long_and_new_each_time(world: World) -> None:
    first, second = (parse_qs(urlsplit(world.browser().get("/oidc", follow_redirects=False).headers["location"]).query) for _ in range(2))
    for name in ("state", "nonce"):
        assert len(first[name][0]) >= 32
        assert first[name] != second[name]
    assert first["response_type"] == ["code"]


def test_without_a_provider_there_is_no_such_door(cases: CaseStore) -> None:
    fill(cases)
    assert World(cases).browser().get("/oidc").status_code == 404


def test_a_provider_that_is_away_is_told_kindly(cases: CaseStore) -> None:
    fill(cases)
    page = World(cases, provider_at("http://127.0.0.1:1")).browser().get("/oidc")
    assert page.status_code == 403
    assert "127.0.0.1" not in page.text


class Signing(BaseHTTPRequestHandler):
    """A provider that answers as ProConnect does: what it says of a person is a signed token. `lie` changes one thing of it."""

    key = RSAKey.generate_key(2048, {"kid": "k"}, auto_kid=False)
    other = RSAKey.generate_key(2048, {"kid": "k"}, auto_kid=False)
    lie = ""
    address = ""

    def _claims(self, nonce: str) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.address, "aud": "vigie", "sub": "s", "nonce": nonce, "iat": now, "exp": now + 30}
        changed = {"issuer": {"iss": "https://evil.example"}, "audience": {"aud": "other"}, "nonce": {"nonce": "replayed"}}
        return claims | changed.get(self.lie, {}) | ({"exp": now - 3600} if self.lie == "old" else {})

    def _signed(self, claims: dict[str, Any]) -> str:
        key = self.other if self.lie == "key" else self.key
        if self.lie == "none":
            parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
            return ".".join([*(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])
        return jwt.encode({"alg": "RS256", "kid": "k"}, claims, key)

    def do_GET(self) -> None:
        if self.path.startswith("/.well-known"):
            names = ("authorization", "token", "userinfo")
            found = {f"{name}_endpoint": f"{self.address}/{name}" for name in names}
            self._answer(json.dumps(found | {"issuer": self.address, "jwks_uri": f"{self.address}/jwks"}))
        elif self.path == "/jwks":
            self._answer(json.dumps({"keys": [self.key.as_dict(private=False)]}))
        else:
            said = {
                "iss": self.address,
                "aud": "vigie",
                "sub": "twin" if self.lie == "sub" else "s",
                "siret": SIRET,
                "email": "A@example.org",
            }
            self._answer(self._signed(said), "application/jwt")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer(json.dumps({"access_token": "t", "token_type": "Bearer", "id_token": self._signed(self._claims("n" * 32))}))

    def _answer(self, body: str, kind: str = "application/json") -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own
        """Nothing in the test's output."""


@pytest.fixture
def signing() -> Iterator[type[Signing]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Signing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Signing.lie, Signing.address = "", f"http://127.0.0.1:{server.server_port}"
    yield Signing
    server.shutdown()
    thread.join()
    server.server_close()


def identity(signing: type[Signing]) -> Any:  # noqa: ANN401 - an identity
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - tokens are dated by the provider
    return provider_at(signing.address).identity(f"{ADDRESS}/oidc/retour", "code", "n" * 32, "v" * 48, now)


def test_a_signed_answer_is_read(signing: type[Signing]) -> None:
    found = identity(signing)
    assert (found.email, found.operator) == ("A@example.org", "cep")


@pytest.mark.parametrize("lie", ["issuer", "audience", "nonce", "old", "key", "none", "sub"])
def test_an_answer_with_one_thing_wrong_is_not_believed(signing: type[Signing], lie: str) -> None:
    signing.lie = lie
    with pytest.raises(LoginError):
        identity(signing)


def test_a_secret_is_never_shown() -> None:
    assert "s3cret" not in repr(provider_at("https://p.example"))
