"""Why a call was decided as it was, and what app code wrote: for those whose business it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sallyport.control.authority import require_app_part
from sallyport.control.places import environment_named, site_of_admin
from sallyport.control.services import Services
from sallyport.model.decision import GATES, DecisionRecord, Gate, LogLine
from sallyport.model.directory import Actor, SiteRole
from sallyport.model.registry import PRODUCTION
from sallyport.store import authority, records
from sallyport.store.engine import Reader
from sallyport.store.integrations import integration_by_client_id
from sallyport.store.records import DecisionQuery
from sallyport.vocab.errors import Reason, Refused

__all__ = [
    "MOST_ROWS",
    "DecisionQuery",
    "Explained",
    "GateState",
    "app_logs",
    "decisions_of_site",
    "explain",
    "walked",
]

GateState = Literal["open", "shut", "unreached"]

MOST_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision with the row of gates that it walked through."""

    record: DecisionRecord
    gates: tuple[tuple[Gate, GateState], ...]


async def explain(services: Services, actor: Actor, decision_id: str) -> Explained:
    """Replay a decision for the caller behind it, who owns the integration, an admin of the site or
    the operator. Raises `Refused` NOT_FOUND for everybody else."""

    async def ask(reader: Reader) -> Explained:
        record = await records.decision_by_id(reader, decision_id)
        if record is None or not await _may_see(reader, actor, record):
            raise Refused(
                Reason.NOT_FOUND,
                "There is no such decision among those that you may see.",
                fix="Check the id; ask an admin of the site or the account that made the call. "
                "Decisions are kept for a limited time.",
            )
        return Explained(record, walked(record.gate))

    return await services.store.read(ask)


def walked(shut: Gate | None) -> tuple[tuple[Gate, GateState], ...]:
    """The row of gates for a call that `shut` stopped, or that all let through."""
    if shut is None:
        return tuple((gate, "open") for gate in GATES)
    at = GATES.index(shut)

    def state(index: int) -> GateState:
        if index == at:
            return "shut"
        return "open" if index < at else "unreached"

    return tuple((gate, state(index)) for index, gate in enumerate(GATES))


async def _may_see(reader: Reader, actor: Actor, record: DecisionRecord) -> bool:
    if actor.account_id is None or await authority.is_active_operator(reader, actor.account_id):
        return True
    if record.account_id == actor.account_id:
        return True
    if record.client_id is not None:
        integration = await integration_by_client_id(reader, record.client_id)
        if integration is not None and integration.owner_id == actor.account_id:
            return True
    if record.site_id is None:
        return False
    role = await authority.site_role(reader, actor.account_id, record.site_id)
    return role is SiteRole.ADMIN


async def decisions_of_site(
    services: Services,
    actor: Actor,
    site: str,
    query: DecisionQuery,
    limit: int,
) -> list[DecisionRecord]:
    """The newest decisions about calls to a site (cloud id or host) that match, for its admins.

    Raises `Refused`.
    """

    async def ask(reader: Reader) -> list[DecisionRecord]:
        found = await site_of_admin(reader, actor, site)
        return await records.decisions_of_site(reader, found.id, query, min(limit, MOST_ROWS))

    return await services.store.read(ask)


async def app_logs(
    services: Services,
    actor: Actor,
    app_id: str,
    environment_key: str,
    *,
    invocation: str | None,
    trace: str | None,
    since: int | None,
    limit: int,
) -> list[LogLine]:
    """What an app's functions wrote, for those who build it. Raises `Refused`.

    Lines of production are a customer's: they are shown for one invocation or one trace, which the
    customer has handed over, and to admins of the site (contract section (k)).
    """

    async def ask(reader: Reader) -> list[LogLine]:
        await require_app_part(reader, actor, app_id)
        environment = await environment_named(reader, app_id, environment_key)
        if environment.key == PRODUCTION and invocation is None and trace is None:
            raise Refused(
                Reason.NOT_ALLOWED,
                "Logs of production are shown for one invocation or one trace only.",
                fix="Ask the caller for the trace id of the answer, then use --trace.",
            )
        return await records.log_lines(
            reader,
            environment.id,
            invocation=invocation,
            trace=trace,
            since=since,
            limit=min(limit, MOST_ROWS),
        )

    return await services.store.read(ask)
