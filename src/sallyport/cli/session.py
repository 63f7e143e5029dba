"""Signing in: `login`, `logout`, `whoami`."""

from __future__ import annotations

import os
import secrets
import socket
import sys

import click

from sallyport.cli.client import Refusal, anonymous, signed_in, warn_of_plain_http
from sallyport.cli.credentials import (
    DEFAULT_URL,
    Credentials,
    Stored,
    checked_url,
    configured_url,
    forget,
    remember,
    stored_for,
)
from sallyport.cli.failures import Failed
from sallyport.cli.lazy import Verb
from sallyport.cli.options import asked, json_option, non_interactive_option
from sallyport.cli.secret_input import password_stdin_option, stdin_password
from sallyport.cli.terminal import done, interactive, json_text, note, pairs, say


@click.command(cls=Verb)
@click.option("--url", metavar="URL", help="The platform's address.")
@click.option("-u", "--email", metavar="EMAIL", help="Your email.")
@click.option("-t", "--token", metavar="TOKEN", help="An API token; - reads it from input.")
@password_stdin_option
@non_interactive_option
def login(
    url: str | None,
    email: str | None,
    token: str | None,
    password_stdin: bool,
    non_interactive: bool,
) -> None:
    """Sign in and remember it.

    Without a token you are asked for your password; an API token is then made and stored, never
    the password. SALLYPORT_EMAIL and SALLYPORT_API_TOKEN work without signing in.
    """
    ask = not non_interactive
    url = checked_url(url) if url else configured_url()
    if url is None:
        url = DEFAULT_URL
        if ask and interactive():
            url = checked_url(click.prompt("Platform URL", default=DEFAULT_URL, err=True))
    email = asked(email or os.environ.get("SALLYPORT_EMAIL"), "--email", "Email", ask=ask)
    warn_of_plain_http(url)
    if token == "-":
        token = sys.stdin.readline().strip()
    label = None
    if token is None:
        password = asked(
            stdin_password(wanted=password_stdin),
            "--token or --password-stdin",
            "Password",
            ask=ask,
            hidden=True,
        )
        label = f"sallyport login on {socket.gethostname()[:60]}, {secrets.token_hex(4)}"
        with anonymous(url) as api:
            answer = api.post("login", json={"email": email, "password": password, "label": label})
        token = str(answer["api_token"])
    with signed_in(Credentials(url, email, token)) as api:
        me = api.get("me")
    path = remember(url, Stored(email, token, label))
    done(f"Logged in as {me['name']} ({me['email']})")
    note(f"Stored for {url} in {path}.")


@click.command(cls=Verb)
def logout() -> None:
    """Forget the sign-in, and end the API token that `login` made."""
    url = configured_url()
    stored = stored_for(url) if url else None
    if url is None or stored is None:
        raise Failed("You are not signed in.", fix="There is nothing to do.")
    try:
        _end_token(url, stored)
    except Failed as error:
        note(f"The API token was not ended: {error.message}")
    forget(url)
    done(f"Logged out of {url}")


@click.command(cls=Verb)
@json_option
def whoami(as_json: bool) -> None:
    """Say who is signed in."""
    with signed_in() as api:
        me = api.get("me")
    if as_json:
        click.echo(json_text({**me, "url": api.url}))
        return
    say(f"Logged in as {me['name']} ({me['email']})")
    say(f"Account ID: {me['account_id']}")
    rows: list[tuple[str, object]] = [("Platform", api.url)]
    if me.get("operator"):
        rows.append(("Role", "operator"))
    rows.append(("Sites", [f"{site['host']} ({site['role']})" for site in me["sites"]]))
    pairs(rows)


def _end_token(url: str, stored: Stored) -> None:
    """A token that was given to `login` by hand is not ours to end."""
    if stored.label is None:
        return
    with signed_in(Credentials(url, stored.email, stored.api_token)) as api:
        for each in api.items("me", "api-tokens"):
            if each.get("label") == stored.label:
                try:
                    api.delete("me", "api-tokens", str(each["id"]))
                except Refusal as refusal:
                    if refusal.status != 404:
                        raise
