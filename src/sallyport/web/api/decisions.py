"""Why calls were decided as they were: `/decisions/{id}`, `/admin/sites/{site}/decisions`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from sallyport.control.records import (
    MOST_ROWS,
    DecisionQuery,
    Explained,
    decisions_of_site,
    explain,
    walked,
)
from sallyport.model.decision import Gate
from sallyport.vocab.clock import iso
from sallyport.web.api.base import ActorDep, ServicesDep

router = APIRouter(tags=["decisions"])


@router.get("/decisions/{decision_id}")
async def read_decision(decision_id: str, actor: ActorDep, services: ServicesDep) -> dict[str, Any]:
    """One decision with the row of gates that the call walked through."""
    return _decision(await explain(services, actor, decision_id))


@router.get("/admin/sites/{site}/decisions")
async def list_decisions(
    site: str,
    actor: ActorDep,
    services: ServicesDep,
    refused: bool = False,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 50,
    environment_id: str | None = None,
    client_id: str | None = None,
    gate: Gate | None = None,
) -> dict[str, Any]:
    """The newest decisions about calls to a site, of an app or a caller too, for its admins."""
    wanted = DecisionQuery(refused, environment_id, client_id, gate)
    records = await decisions_of_site(services, actor, site, wanted, limit)
    return {"items": [_decision(Explained(each, walked(each.gate))) for each in records]}


def _decision(explained: Explained) -> dict[str, Any]:
    record = explained.record
    return {
        "decision_id": record.id,
        "trace_id": record.trace_id,
        "at": iso(record.at),
        "method": record.method,
        "path": record.path,
        "status": record.status,
        "gate": record.gate,
        "reason": record.reason,
        "gates": [{"name": name, "state": state} for name, state in explained.gates],
        "problem": record.problem,
        "duration_us": record.duration_us,
        "worker_us": record.worker_us,
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
        "site_id": record.site_id,
        "app_id": record.app_id,
        "environment_id": record.environment_id,
        "route_key": record.route_key,
        "client_id": record.client_id,
        "account_id": record.account_id,
        "grant_id": record.grant_id,
        "invocation_id": record.invocation_id,
    }
