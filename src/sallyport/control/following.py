"""What happens to an app: its calls and what its code writes, for those who build it.

Production is the customer's: there a developer sees one call or one trace whose id the customer has
handed over, and nothing by looking around (contract section (k)). Who called is told nowhere here;
that is between the caller and the site's admins.
"""

from __future__ import annotations

from dataclasses import dataclass

from sallyport.control.authority import require_app_part
from sallyport.control.places import environment_named
from sallyport.control.records import GateState, walked
from sallyport.control.services import Services
from sallyport.model.decision import DecisionRecord, Gate
from sallyport.model.directory import Actor, Site
from sallyport.model.registry import PRODUCTION, Environment
from sallyport.store import directory, following, records
from sallyport.store.engine import Reader
from sallyport.store.following import LEVELS, Numbered, Result, Wanted
from sallyport.vocab.errors import Reason, Refused

__all__ = [
    "LEVELS",
    "CallStory",
    "Numbered",
    "Result",
    "Wanted",
    "app_calls",
    "app_lines",
    "call_story",
    "newest_line",
]

MOST_ROWS = 200
MOST_LINES_OF_ONE = 500
_TOLD = ("title", "detail", "fix", "required_scopes")


@dataclass(frozen=True, slots=True)
class CallStory:
    """One call from its first gate to its last line. `site` is None where no site was found."""

    record: DecisionRecord
    gates: tuple[tuple[Gate, GateState], ...]
    lines: tuple[Numbered, ...]
    site: Site | None


async def app_calls(
    services: Services,
    actor: Actor,
    app_id: str,
    environment_key: str,
    wanted: Wanted,
    *,
    before: tuple[int, str] | None = None,
    limit: int = 50,
) -> list[DecisionRecord]:
    """The newest calls that match, newest first; older than `before`. Raises `Refused`."""

    async def ask(reader: Reader) -> list[DecisionRecord]:
        environment = await _environment(reader, actor, app_id, environment_key, wanted)
        found = await following.calls_of(
            reader, environment.id, wanted, before=before, limit=min(limit, MOST_ROWS)
        )
        return [_public(each) for each in found]

    return await services.store.read(ask)


async def app_lines(
    services: Services,
    actor: Actor,
    app_id: str,
    environment_key: str,
    wanted: Wanted,
    *,
    after: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Numbered]:
    """The newest lines that match, newest first; or those after a place, oldest first.

    Raises `Refused`.
    """
    if wanted.level is not None and wanted.level not in LEVELS:
        raise Refused(
            Reason.INVALID_INPUT,
            "There is no such level.",
            fix=f"Choose from: {', '.join(LEVELS)}.",
        )

    async def ask(reader: Reader) -> list[Numbered]:
        environment = await _environment(reader, actor, app_id, environment_key, wanted)
        return await following.lines_of(
            reader,
            environment.id,
            wanted,
            after=after,
            before=before,
            limit=min(limit, MOST_ROWS),
        )

    return await services.store.read(ask)


async def newest_line(services: Services) -> int:
    """The place after which lines to come will be."""
    return await services.store.read(following.newest_place)


async def call_story(
    services: Services, actor: Actor, app_id: str, environment_key: str, decision_id: str
) -> CallStory:
    """One call of an app environment with what its code wrote. Raises `Refused`."""

    async def ask(reader: Reader) -> CallStory:
        await require_app_part(reader, actor, app_id)
        environment = await environment_named(reader, app_id, environment_key)
        record = await records.decision_by_id(reader, decision_id)
        if record is None or record.environment_id != environment.id:
            raise Refused(
                Reason.NOT_FOUND,
                f"There is no such call in {environment.key}.",
                fix="Check the id, `atl-request-id` of the answer. Calls are kept for a while.",
            )
        lines: list[Numbered] = []
        if record.invocation_id is not None:
            lines = await following.lines_of(
                reader,
                environment.id,
                Wanted(invocation=record.invocation_id),
                limit=MOST_LINES_OF_ONE,
            )
        site = await directory.site_by_id(reader, record.site_id) if record.site_id else None
        return CallStory(_public(record), walked(record.gate), tuple(reversed(lines)), site)

    return await services.store.read(ask)


async def _environment(
    reader: Reader, actor: Actor, app_id: str, key: str, wanted: Wanted
) -> Environment:
    await require_app_part(reader, actor, app_id)
    environment = await environment_named(reader, app_id, key)
    if environment.key == PRODUCTION and wanted.trace is None and wanted.invocation is None:
        raise Refused(
            Reason.NOT_ALLOWED,
            "What happens in production is the customer's: it is shown for one trace or one "
            "invocation only.",
            fix="Ask the caller for `atl-traceid` of the answer and look for that.",
        )
    return environment


def _public(record: DecisionRecord) -> DecisionRecord:
    """The record without who called, and without what their token held."""
    problem = record.problem
    if problem is not None:
        problem = {name: problem[name] for name in _TOLD if name in problem}
    return record._replace(client_id=None, account_id=None, grant_id=None, problem=problem)
