"""Signing keys, for operators: `/operator/keys`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from sallyport.control import keys
from sallyport.control.keys import KeyTimes
from sallyport.vocab.clock import iso
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body

router = APIRouter(prefix="/operator/keys", tags=["operator"])


class Rotation(Body):
    """`now`: the new key signs at once, before others can have learned of it."""

    now: bool = False


@router.get("")
async def list_keys(actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """The keys that verify access tokens, in the order in which they sign."""
    return {"items": [_item(each) for each in await keys.list_keys(services, actor)]}


@router.post("", status_code=201)
async def rotate(body: Rotation, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Make the next signing key; the one before verifies until its tokens have ended."""
    return _item(await keys.rotate_keys(services, actor, at_once=body.now))


@router.delete("/{kid}", status_code=204)
async def retire(kid: str, actor: ActorDep, services: ServicesDep) -> None:
    """Take a key out at once; every token that it signed is refused from now on."""
    await keys.retire_key(services, actor, kid)


def _item(each: KeyTimes) -> dict[str, Any]:
    return {
        "kid": each.kid,
        "created_at": iso(each.created_at),
        "signs_from": iso(each.signs_from),
        "retires_at": None if each.retired_at is None else iso(each.retired_at),
    }
