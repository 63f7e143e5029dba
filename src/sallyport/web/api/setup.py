"""The ways in: the one-time setup, and email and password traded for an API token."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from sallyport.control import setup as platform_setup
from sallyport.control.signin import sign_in_for_api_token
from sallyport.web.api.base import ServicesDep
from sallyport.web.api.bodies import Body
from sallyport.web.api.shapes import person

router = APIRouter(tags=["sign-in"])


class Claim(Body):
    token: str
    email: str
    name: str
    password: str


class Login(Body):
    email: str
    password: str
    label: str


@router.post("/setup", status_code=201)
async def claim(body: Claim, request: Request, services: ServicesDep) -> dict[str, Any]:
    """Make the first operator with the token of the one-time link."""
    account, token = await platform_setup.claim(
        services, body.token, body.email, body.name, body.password, _address_of(request)
    )
    return {"account_id": account.id, "api_token": token.secret}


@router.post("/login", status_code=201)
async def login(body: Login, request: Request, services: ServicesDep) -> dict[str, Any]:
    """Trade email and password for an API token."""
    address = _address_of(request)
    account, token = await sign_in_for_api_token(
        services, body.email, body.password, body.label, address
    )
    return {"api_token": token.secret, "account": person(account)}


def _address_of(request: Request) -> str | None:
    return request.client.host if request.client else None
