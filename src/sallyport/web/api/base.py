"""What every endpoint of the control API shares: who calls, what it works with, how it refuses."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Header, Request

from sallyport.control.names import clean_words
from sallyport.control.services import Services
from sallyport.control.signin import account_of_api_token
from sallyport.model.directory import Actor
from sallyport.vocab.errors import Reason, Refused


def services_of(request: Request) -> Services:
    """The services that the composition root put on the application."""
    services: Services = request.app.state.services
    return services


async def actor_of(
    request: Request,
    audit_reason: Annotated[
        str, Header(description="Why, for the audit; UTF-8, percent-encoded")
    ] = "",
) -> Actor:
    """Who calls, by `Authorization: Basic email:api-token`. Raises `Refused`."""
    reason = clean_words(unquote(audit_reason), "reason")
    header = request.headers.get("authorization")
    if header is None:
        raise not_signed_in("No credentials came with the request.")
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        raise not_signed_in("The control API takes HTTP Basic credentials, email and API token.")
    try:
        email, colon, token = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise not_signed_in("The Basic credentials could not be decoded.") from None
    if not colon:
        raise not_signed_in("The Basic credentials hold no colon between email and API token.")
    address = request.client.host if request.client else None
    actor = await account_of_api_token(services_of(request), email, token, address)
    return replace(actor, reason=reason)


def not_signed_in(detail: str) -> Refused:
    return Refused(
        Reason.NOT_SIGNED_IN,
        detail,
        fix="Send your email and an API token with HTTP Basic; `sallyport login` stores them.",
        headers={"WWW-Authenticate": 'Basic realm="sallyport"'},
    )


ActorDep = Annotated[Actor, Depends(actor_of)]
ServicesDep = Annotated[Services, Depends(services_of)]
