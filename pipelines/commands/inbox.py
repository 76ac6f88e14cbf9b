"""`vigie inbox`: serve the advisors' page, open accounts, give out a link by hand."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from pipelines import console
from pipelines.commands.common import HomeOption, service_at
from pipelines.service import post_of
from vigie import clock
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from alerts.inbox.oidc import Provider
    from alerts.mail import Post
    from vigie.settings import Settings

PRINT_LINKS: Final = "VIGIE_PRINT_LINKS"
MAIL: Final = """Bonjour,

Voici votre lien pour entrer dans Vigie. Il sert une seule fois, dans le quart d'heure :

{}

Si vous ne l'avez pas demandé, ne faites rien.
"""

app = typer.Typer(help="The advisors' page: list, case, answers.", no_args_is_help=True)


@app.command()
def serve(
    home: HomeOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; put a proxy that speaks https before it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    print_links: Annotated[
        bool, typer.Option("--print-links", help="For a trial without a mail server: log-in links appear here.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer; about one a core for many advisors.")] = 1,
) -> None:
    """Serve the page until Ctrl-C.

    VIGIE_INBOX_ADDRESS says where people reach it (unset: where it listens), VIGIE_SMTP_* how log-in links leave.

    VIGIE_OIDC_* name an identity provider that vouches for people.

    [dim]vigie inbox serve --home home --print-links[/dim]
    [dim]VIGIE_INBOX_ADDRESS=https://vigie.example.org VIGIE_PRODUCTION=true vigie inbox serve[/dim]
    """
    import os

    import uvicorn

    service = service_at(home)
    address = _reached_at(service.settings, host, port)
    if service.settings.production and not address.startswith("https://"):
        what = f"In production the page is reached by https, and VIGIE_INBOX_ADDRESS is {address}."
        raise ConfigurationError(what, "Put a proxy that speaks https before it, and set VIGIE_INBOX_ADDRESS to what people type.")
    # Each worker makes its own page from the settings: what this command was given goes to them by the environment.
    os.environ["VIGIE_HOME"] = str(service.home.root)
    os.environ["VIGIE_INBOX_ADDRESS"] = address
    os.environ[PRINT_LINKS] = "1" if print_links else ""
    if not print_links:
        post_of(service.settings)
    _provider(service.settings)
    console.out.print(f"Listening on http://{host}:{port}; people reach it at {address}. Ctrl-C ends it.")
    # No access log: it would hold the one-time links.
    uvicorn.run(
        "pipelines.commands.inbox:served",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        log_level="warning",
        server_header=False,
    )


def _reached_at(settings: Settings, host: str, port: int) -> str:
    """Forms are taken from this address alone: a trial on another port must not refuse its own."""
    if "inbox_address" in settings.model_fields_set:
        return settings.inbox_address.rstrip("/")
    try:
        every = ip_address(host).is_unspecified
    except ValueError:
        every = False
    name = "127.0.0.1" if every else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


def served() -> FastAPI:
    """The page of the service that the settings name, for one worker."""
    import os

    from alerts.cases import CaseStore
    from alerts.inbox.app import create_app
    from alerts.inbox.context import Inbox
    from pipelines.wording import phrases

    service = service_at(None)
    send = _shown if os.environ.get(PRINT_LINKS) else by_mail(post_of(service.settings))
    address = service.settings.inbox_address.rstrip("/")
    cases = CaseStore(service.cases_url)
    inbox = Inbox(
        cases.engine,
        service.rules,
        phrases(),
        service.time_zone,
        address,
        send,
        provider=_provider(service.settings),
        indicators=service.home.indicators,
    )
    return create_app(inbox)


@app.command()
def link(
    email: Annotated[str, typer.Argument(help="Work address of an advisor in post, or of an account.")], home: HomeOption = None
) -> None:
    """Print a one-time log-in link, good for a quarter of an hour: hand it over yourself.

    [dim]vigie inbox link zoe@example.org[/dim]
    """
    from alerts.cases import CaseStore
    from alerts.cases.access import new_link

    service = service_at(home)
    with CaseStore(service.cases_url) as cases:
        token = new_link(cases.engine, email, clock.now())
    if token is None:
        what = f"Nobody may come in with {email}."
        raise ConfigurationError(what, "Run a night first for advisors, or open an account: vigie inbox user --help.")
    console.out.print(f"{service.settings.inbox_address.rstrip('/')}/entrer?jeton={token}", soft_wrap=True)


@app.command()
def user(
    email: Annotated[str, typer.Argument(help="Their address.")],
    name: Annotated[str, typer.Option(help="Name shown to them.")],
    role: Annotated[Literal["lead", "evaluator", "dpo", "operator"], typer.Option(help="What they may open.")],
    operator: Annotated[str | None, typer.Option(help="Organisation of a team lead.")] = None,
    territory: Annotated[str | None, typer.Option(help="Territory of a team lead.")] = None,
    home: HomeOption = None,
) -> None:
    """Open an account for somebody who is not an advisor; advisors in post need none.

    [dim]vigie inbox user lead@example.org --name Zoé --role lead --operator cep --territory exemple-est[/dim]
    """
    from alerts.cases import CaseStore
    from alerts.cases.access import add_user

    if role == "lead" and not (operator and territory):
        raise ConfigurationError("A team lead needs an organisation and a territory.", "Add --operator and --territory.")
    service = service_at(home)
    with CaseStore(service.cases_url) as cases:
        add_user(cases.engine, email, name, role, operator=operator, territory_id=territory)
    console.out.print(f"{email} may come in as {role}: by the log-in page, or with a link from vigie inbox link {email}.", soft_wrap=True)


@app.command()
def close(
    email: Annotated[str, typer.Argument(help="Address of the account.")],
    home: HomeOption = None,
) -> None:
    """Close an account, of somebody who left or changed role: they are logged out now, and no link of theirs serves any more.

    An advisor in post comes in without an account made by hand, a team lead who is one again as an advisor; a delivery of advisors
    with active_to ends that.

    [dim]vigie inbox close lead@example.org[/dim]
    """
    from alerts.cases import CaseStore
    from alerts.cases.access import close_user

    with CaseStore(service_at(home).cases_url) as cases:
        stays = close_user(cases.engine, email, clock.now())
    if stays is None:
        raise ConfigurationError(f"There is no account {email}.", "Check the address; an advisor who never came in has none.")
    also = " They are an advisor in post, and may still come in as such until a delivery says active_to." if stays else ""
    console.out.print(f"{email} is closed and logged out.{also}", soft_wrap=True)


def _shown(address: str, one_time: str) -> None:
    console.out.print(f"{address}: {one_time}", soft_wrap=True)


def by_mail(post: Post) -> Callable[[str, str], None]:
    """How a log-in link leaves: takes an address and the link."""
    return lambda address, one_time: post.send(address, "Votre lien de connexion à Vigie", MAIL.format(one_time))


def _provider(settings: Settings) -> Provider | None:
    from alerts.inbox.oidc import Provider

    if not settings.oidc_issuer:
        return None
    if not settings.oidc_sirets:
        what = "An identity provider is set, and no organisation may come in with it."
        raise ConfigurationError(what, 'Set VIGIE_OIDC_SIRETS, such as {"13002526500013": "france_travail"}.')
    return Provider(
        name=settings.oidc_name,
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        sirets=settings.oidc_sirets,
        scope=settings.oidc_scope,
    )
