"""Approval of what integrations may use on a site: `/admin/sites/{site}/approvals`."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field

from sallyport.control import approvals
from sallyport.control.approvals import ApprovalView, Queue
from sallyport.model.directory import Account
from sallyport.vocab.clock import iso
from sallyport.web.api.base import ActorDep, ServicesDep
from sallyport.web.api.bodies import Body

router = APIRouter(prefix="/admin/sites/{site}", tags=["approvals"])

MOST_SCOPES = 40


class Rule(Body):
    """Whether new links of integrations on the site wait for its admins."""

    required: bool
    reason: str = ""


class Answer(Body):
    """Every scope that was asked for and is not in `approved` is refused; then give a reason."""

    approved: list[str] = Field(max_length=MOST_SCOPES)
    reason: str = ""


class TakeBack(Body):
    """`environment` is a key."""

    app_id: str
    environment: str
    scopes: list[str] = Field(min_length=1, max_length=MOST_SCOPES)
    reason: str


@router.get("/approvals")
async def read_queue(
    site: str,
    actor: ActorDep,
    services: ServicesDep,
    state: Literal["pending", "all"] = "pending",
) -> dict[str, Any]:
    """What waits for the site's admins, oldest first; with `state=all` what was answered too."""
    found = await approvals.approval_queue(services, actor, site, pending=state == "pending")
    return _queue(found)


@router.put("/approvals")
async def set_rule(site: str, body: Rule, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """Set whether new links wait. Links that exist stay as they are."""
    return _queue(
        await approvals.require_approval(services, actor, site, body.required, body.reason)
    )


@router.put("/approvals/{approval_id}")
async def answer(
    site: str, approval_id: str, body: Answer, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Answer a request, scope by scope; once."""
    return describe(
        await approvals.answer_approval(
            services, actor, site, approval_id, body.approved, body.reason
        )
    )


@router.post("/integrations/{client_id}/take-back")
async def take_back(
    site: str, client_id: str, body: TakeBack, actor: ActorDep, services: ServicesDep
) -> dict[str, Any]:
    """Take scopes back from an integration or a service account; the next call is refused."""
    taken = await approvals.take_back_scopes(
        services, actor, site, client_id, body.app_id, body.environment, body.scopes, body.reason
    )
    return {"taken_back": list(taken)}


def describe(view: ApprovalView) -> dict[str, Any]:
    """A request and its answer, as the API shows it."""
    each = view.approval
    return {
        "id": each.id,
        "state": each.state.value,
        "client_id": each.client_id,
        "kind": "service_account" if view.for_service_account else "integration",
        "integration_name": view.integration.name,
        "app_id": view.app.id,
        "app_name": view.app.name,
        "environment": view.environment.key,
        "scopes": [
            {
                "scope": scope,
                "title": view.titles.get(scope, scope),
                "optional": scope in each.optional,
                "state": each.state_of(scope).value,
            }
            for scope in sorted(each.asked)
        ],
        "note": each.note,
        "asked_by": _person(view.asked_by),
        "asked_at": iso(each.asked_at),
        "reason": each.reason,
        "decided_by": _person(view.decided_by),
        "decided_at": iso(each.decided_at) if each.decided_at is not None else None,
    }


def _person(account: Account | None) -> str | None:
    return account.email if account is not None else None


def _queue(found: Queue) -> dict[str, Any]:
    return {"required": found.required, "items": [describe(each) for each in found.items]}
