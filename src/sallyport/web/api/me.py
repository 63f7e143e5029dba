"""Who I am, and my API tokens: `/me`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from sallyport.control import accounts, sessions
from sallyport.control.sites import my_sites
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body
from sallyport.web.api.shapes import api_token, person, session

router = APIRouter(prefix="/me", tags=["me"])


class NewToken(Body):
    label: str


class PasswordChange(Body):
    current: str
    new: str


@router.get("")
async def who_am_i(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The caller's account and sites."""
    account = await accounts.my_account(services, actor)
    sites = await my_sites(services, actor)
    return {
        **person(account),
        "operator": account.operator,
        "sites": [
            {"site_id": site.id, "host": site.host, "name": site.name, "role": role.value}
            for site, role in sites
        ],
    }


@router.put("/password", status_code=204)
async def change_password(body: PasswordChange, actor: ActorDep, services: ServicesDep) -> None:
    """Change one's password; ends every browser session of the account."""
    await accounts.change_password(services, actor, body.current, body.new)


@router.get("/api-tokens")
async def list_api_tokens(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The caller's API tokens, without their secrets."""
    tokens = await accounts.my_api_tokens(services, actor)
    return {"items": [api_token(each) for each in tokens]}


@router.post("/api-tokens", status_code=201)
async def create_api_token(
    body: NewToken, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """A new API token; `token` is shown this once."""
    made = await accounts.create_api_token(services, actor, body.label)
    return {**api_token(made.token), "token": made.secret}


@router.delete("/api-tokens/{token_id}", status_code=204)
async def revoke_api_token(token_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """End one of the caller's API tokens."""
    await accounts.revoke_api_token(services, actor, token_id)


@router.get("/sessions")
async def list_sessions(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The browsers in which the caller is signed in."""
    return {"items": [session(each) for each in await sessions.my_sessions(services, actor)]}


@router.delete("/sessions")
async def end_sessions(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Sign the caller out in every browser; API tokens stay."""
    return {"ended": await sessions.end_my_other_sessions(services, actor, None)}


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(session_id: str, actor: ActorDep, services: ServicesDep) -> None:
    """Sign the caller out in one browser."""
    await sessions.end_my_session(services, actor, session_id)
