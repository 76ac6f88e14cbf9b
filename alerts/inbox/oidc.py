"""Log-in by OpenID Connect, authorization code flow: an identity provider such as ProConnect says who somebody is.

What a person may open comes from our own accounts; the provider's organisation number (SIRET) must be one that is known here.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from vigie.errors import VigieError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

TIMEOUT_SECONDS: Final = 10
SIGNED: Final = ("RS256", "PS256", "ES256")
"""Never `none`, never a shared secret."""
LEEWAY_SECONDS: Final = 60
ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")


class LoginError(VigieError):
    """The provider did not vouch for anybody; the reason goes to the audit log, the page says only that it failed."""


@dataclass(frozen=True)
class Identity:
    """Who the provider says it is."""

    email: str
    operator: str
    """Ours, by the organisation's SIRET."""


@dataclass(frozen=True)
class Provider:
    """An identity provider, read from its discovery document when it is first needed."""

    name: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    sirets: Mapping[str, str]
    """Operator of each organisation that may come in; an unknown one may not (domain facts, R43)."""
    scope: str = "openid given_name usual_name email uid siret"

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The discovery document.

        Raises:
            LoginError: it cannot be read, speaks for another issuer, or names no place to log in.
        """
        found = self._read(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise LoginError("The provider speaks for another issuer.", "Correct VIGIE_OIDC_ISSUER.")
        if missing := [name for name in ENDPOINTS if name not in found]:
            raise LoginError(f"The provider does not say its {', '.join(missing)}.", "Ask whoever runs the provider.")
        return found

    def address(self, redirect: str, state: str, nonce: str, verifier: str) -> str:
        """Where the person goes to log in."""
        # PKCE where the provider knows it: ProConnect refuses parameters it does not expect.
        challenge = {"code_verifier": verifier} if self._knows_pkce else {}
        url, _ = self._client(redirect).create_authorization_url(
            self.metadata["authorization_endpoint"], state=state, nonce=nonce, **challenge
        )
        return str(url)

    def identity(self, redirect: str, code: str, nonce: str, verifier: str, now: dt.datetime) -> Identity:
        """Who came back with `code`.

        Raises:
            LoginError: the code, the tokens, or the organisation cannot be trusted.
        """
        proof = {"code_verifier": verifier} if self._knows_pkce else {}
        try:
            with self._client(redirect) as client:
                token = client.fetch_token(self.metadata["token_endpoint"], grant_type="authorization_code", code=code, **proof)
                said = self._claims(str(token["id_token"]), now, nonce=nonce)
                answer = client.get(self.metadata["userinfo_endpoint"])
                answer.raise_for_status()
            signed = answer.headers.get("content-type", "").startswith("application/jwt")
            claims = self._claims(answer.text, now) if signed else dict(answer.json())
        except (AuthlibBaseError, httpx2.HTTPError, JoseError, KeyError, ValueError) as error:
            raise LoginError(f"The provider's answer cannot be trusted: {type(error).__name__}.", "Log in again.") from error
        if claims.get("sub") != said.get("sub"):
            raise LoginError("The provider speaks of two people.", "Log in again.")
        operator = self.sirets.get(str(claims.get("siret", "")))
        if operator is None:
            raise LoginError("This organisation is not known here.", "Add its SIRET to VIGIE_OIDC_SIRETS if it should be.")
        if not claims.get("email") or claims.get("email_verified") is False:
            raise LoginError("The provider gives no verified address.", "Ask the organisation's identity provider.")
        return Identity(str(claims["email"]), operator)

    @property
    def _knows_pkce(self) -> bool:
        return "S256" in self.metadata.get("code_challenge_methods_supported", ())

    def _client(self, redirect: str) -> OAuth2Client:
        return OAuth2Client(
            self.client_id,
            self.client_secret,
            scope=self.scope,
            redirect_uri=redirect,
            timeout=TIMEOUT_SECONDS,
            code_challenge_method="S256" if self._knows_pkce else None,
        )

    def _claims(self, token: str, now: dt.datetime, nonce: str | None = None) -> dict[str, Any]:
        keys = KeySet.import_key_set({"keys": self._read(self.metadata["jwks_uri"])["keys"]})
        claims = jwt.decode(token, keys, algorithms=list(SIGNED)).claims
        wanted: dict[str, Any] = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self.client_id},
        }
        if nonce is not None:
            wanted["exp"] = {"essential": True}
        jwt.JWTClaimsRegistry(now=int(now.timestamp()), leeway=LEEWAY_SECONDS, **wanted).validate(claims)
        if nonce is not None and not hmac.compare_digest(str(claims.get("nonce", "")), nonce):
            raise LoginError("The provider answers another log-in.", "Log in again.")
        return dict(claims)

    @staticmethod
    def _read(url: str) -> dict[str, Any]:
        try:
            answer = httpx2.get(url, timeout=TIMEOUT_SECONDS)
            answer.raise_for_status()
            return dict(answer.json())
        except (httpx2.HTTPError, ValueError, TypeError) as error:
            raise LoginError(
                f"The provider does not answer: {type(error).__name__}.", "Try again later, or with a link by mail."
            ) from error
