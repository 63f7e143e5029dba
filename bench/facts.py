"""What the number of installations and grants costs a call: nothing, once its facts are at hand.

Fills a SQLite database with installations and grants and takes calls through the gateway's steps:
warm (the facts are held), cold (each is read), and over many more grants than the gateway holds.
`--help` says how many. Writes facts.json and facts.md.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, text

from bench.runtime.report import machine
from sallyport.gateway.call import Call
from sallyport.gateway.facts import DEFAULT_BOUND, Facts, Lacking
from sallyport.gateway.limits import CallLimits, Quota
from sallyport.gateway.sources import make_sources
from sallyport.gateway.steps import Policy, walk
from sallyport.manifest.load import read_manifest, to_json
from sallyport.model.access import VerifiedToken
from sallyport.store import schema
from sallyport.store.engine import Store, open_store
from sallyport.store.migrations import migrate
from sallyport.store.seal import Sealer
from sallyport.vocab.clock import SystemClock
from sallyport.vocab.ids import new_id

RESULTS = Path(__file__).resolve().parent / "results"
MANIFEST = Path(__file__).resolve().parents[1] / "examples/employee-directory/manifest.yml"
READ, JIRA = "read:employee:custom", "read:forge-app:jira"
SITES_OF_ONE_APP = 1_000
LINKS_OF_ONE_INTEGRATION = 50
WORKING_SET = 1_000


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: calls in a round, warm and cold, and rounds."""

    warm_calls: int = 20_000
    cold_calls: int = 2_000
    rounds: int = 5


SHORT = Effort(warm_calls=500, cold_calls=100, rounds=2)


@dataclass(frozen=True, slots=True)
class Filled:
    """One grant with what a call needs to name."""

    site_id: str
    app_id: str
    environment_id: str
    client_id: str
    account_id: str
    grant_id: str


@dataclass(slots=True)
class Result:
    """Microseconds of one walk through the steps, and what was held."""

    installations: int
    grants: int
    database_mb: float = 0.0
    filled_s: float = 0.0
    warm_us: list[float] = field(default_factory=list)
    cold_us: list[float] = field(default_factory=list)
    held_after_all: int = 0
    rss_mb_before: float = 0.0
    rss_mb_after_all: float = 0.0
    walked_over: int = 0
    loads_per_cold_call: float = 0.0


def main() -> None:
    read = argparse.ArgumentParser(prog="python -m bench.facts", description=__doc__)
    read.add_argument("--installations", type=int, default=100_000)
    read.add_argument("--grants", type=int, default=1_000_000)
    read.add_argument("--walk", type=int, default=300_000, help="grants that are called once each")
    read.add_argument("--short", action="store_true", help="a thousandth of it, twice")
    read.add_argument("--out", type=Path, default=RESULTS)
    given = read.parse_args()
    effort, few = Effort(), (1_000, 10_000)
    if given.short:
        effort, few = SHORT, (50, 100)
        given.installations, given.grants, given.walk = 100, 1_000, 500
    sizes = (few, (given.installations, given.grants))
    results = [
        asyncio.run(measure(installations, grants, min(grants, given.walk), effort))
        for installations, grants in sizes
    ]
    given.out.mkdir(parents=True, exist_ok=True)
    found = {"machine": machine(), "bound": DEFAULT_BOUND, "results": [asdict(r) for r in results]}
    (given.out / "facts.json").write_text(json.dumps(found, indent=2) + "\n")
    (given.out / "facts.md").write_text(as_markdown(results))
    print(as_markdown(results))


async def measure(installations: int, grants: int, walked: int, effort: Effort) -> Result:
    """Fill a database, then call."""
    result = Result(installations, grants)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sallyport.db"
        store = open_store(f"sqlite:///{path}", SystemClock(), Sealer(bytes(32)))
        try:
            await migrate(store)
            started = time.perf_counter()
            filled = await store.run_sync(lambda conn: fill(conn, installations, grants))
            result.filled_s = round(time.perf_counter() - started, 1)
            result.database_mb = round(path.stat().st_size / 2**20, 1)
            await call(store, filled, result, walked, effort)
        finally:
            await store.close()
    return result


async def call(
    store: Store, filled: list[Filled], result: Result, walked: int, effort: Effort
) -> None:
    choose = random.Random(20261124)
    by_grant = {each.grant_id: each for each in filled}
    facts = Facts(store)
    policy = Policy(
        make_sources(Path("bundles")),
        lambda raw, now: _claims(by_grant[raw], now),
        "https://bench.test",
        forge_compatible=False,
        # Counted, but never spent: a million buckets are asked for.
        limits=CallLimits(Quota("integration", 10**9), Quota("account", 10**9)),
    )
    working = choose.sample(filled, min(WORKING_SET, len(filled)))
    for each in working:
        await decide(_call(each), facts, policy)
    calls = [_call(choose.choice(working)) for _ in range(effort.warm_calls)]
    for _ in range(effort.rounds):
        started = time.perf_counter_ns()
        for each in calls:
            walk(each, facts, policy)
        result.warm_us.append(_per_call(started, len(calls)))
    del calls
    loads = 0
    for _ in range(effort.rounds):
        cold = Facts(store)
        strangers = [
            _call(each) for each in choose.sample(filled, min(effort.cold_calls, len(filled)))
        ]
        started = time.perf_counter_ns()
        for each in strangers:
            await decide(each, cold, policy)
        result.cold_us.append(round((time.perf_counter_ns() - started) / 1000 / cold.loads, 2))
        loads += cold.loads
    del strangers, cold
    result.loads_per_cold_call = round(
        loads / effort.rounds / min(effort.cold_calls, len(filled)), 1
    )
    gc.collect()
    result.rss_mb_before = _rss_mb()
    for each in choose.sample(filled, walked):
        await decide(_call(each), facts, policy)
    gc.collect()
    result.walked_over, result.held_after_all = walked, len(facts)
    result.rss_mb_after_all = _rss_mb()


async def decide(call: Call, facts: Facts, policy: Policy) -> None:
    """As the gateway does: what the steps lack is loaded, and they run again."""
    while True:
        try:
            return walk(call, facts, policy)
        except Lacking as lacking:
            await facts.load(lacking)


def _call(each: Filled) -> Call:
    path = f"/svc/jira/{each.site_id}/apps/{each.app_id}_{each.environment_id}/getEmployeeName"
    headers = (("authorization", f"Bearer {each.grant_id}"), ("accept", "*/*"))
    return Call("GET", path, "id=1", "bench.test", headers, 0, 1, "t" * 32, "d", new_id())


def _claims(each: Filled, now: int) -> VerifiedToken:
    namespace = f"{each.app_id}.{each.environment_id}"
    return VerifiedToken(
        each.grant_id,
        each.grant_id,
        each.grant_id,
        each.account_id,
        each.client_id,
        namespace,
        frozenset({READ, JIRA}),
        now + 1,
    )


def fill(conn: Connection, installations: int, grants: int) -> list[Filled]:
    """Apps on sites, and consents to them; every grant has a family of the same id."""
    manifest = read_manifest(MANIFEST.read_bytes()).manifest
    assert manifest is not None
    stored = to_json(manifest)
    sites = min(installations, SITES_OF_ONE_APP)
    apps = -(-installations // sites)
    accounts = max(10, grants // 100)
    conn.execute(text("PRAGMA foreign_keys=OFF"))
    conn.execute(insert(schema.organization), {"id": "o", "name": "Bench", "created_at": 1})
    conn.execute(insert(schema.product), {"key": "jira", "name": "Jira"})
    site_ids = [new_id() for _ in range(sites)]
    people = [new_id() for _ in range(accounts)]
    environments = [(new_id(), new_id()) for _ in range(apps)]
    clients = [new_id() for _ in range(-(-installations // LINKS_OF_ONE_INTEGRATION))]
    tables: tuple[tuple[Any, Callable[[], Iterable[dict[str, Any]]]], ...] = (
        (schema.site, lambda: _sites(site_ids)),
        (schema.site_product, lambda: ({"site_id": s, "product": "jira"} for s in site_ids)),
        (schema.account, lambda: _accounts(people)),
        (schema.app, lambda: ({"id": a, "name": "A", "created_at": 1} for a, _ in environments)),
        (schema.environment, lambda: _environments(environments)),
        (schema.version, lambda: _versions(environments, stored)),
        (schema.integration, lambda: _integrations(clients, people[0])),
    )
    for table, rows in tables:
        _insert(conn, table, rows())
    pairs = [(site_id, *each) for each in environments for site_id in site_ids][:installations]
    places = [(*pair, clients[at // LINKS_OF_ONE_INTEGRATION]) for at, pair in enumerate(pairs)]
    _insert(conn, schema.installation, _installations(places))
    _insert(conn, schema.rest_api_switch, _switches(places))
    _insert(conn, schema.integration_link, _links(places))
    filled = []
    for number in range(grants):
        site_id, app_id, environment_id, client_id = places[number % len(places)]
        person = people[number % len(people)]
        filled.append(Filled(site_id, app_id, environment_id, client_id, person, new_id()))
    _insert(conn, schema.grant, _grants(filled))
    _insert(conn, schema.token_family, _families(filled))
    members = {(each.account_id, each.site_id) for each in filled}
    _insert(conn, schema.membership, _members(members))
    return filled


def _insert(conn: Connection, table: Any, rows: Iterable[dict[str, Any]]) -> None:
    part = []
    for row in rows:
        part.append(row)
        if len(part) == 10_000:
            conn.execute(insert(table), part)
            part = []
    if part:
        conn.execute(insert(table), part)


def _sites(ids: list[str]) -> Iterator[dict[str, Any]]:
    for each in ids:
        yield {
            "id": each,
            "organization_id": "o",
            "host": f"{each}.test",
            "name": "Site",
            "approval_required": False,
            "created_at": 1,
        }


def _accounts(ids: list[str]) -> Iterator[dict[str, Any]]:
    for each in ids:
        yield {
            "id": each,
            "email": f"{each}@bench.test",
            "name": "Person",
            "operator": False,
            "active": True,
            "created_at": 1,
        }


def _environments(pairs: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    for app_id, environment_id in pairs:
        yield {"id": environment_id, "app_id": app_id, "key": "development", "created_at": 1}


def _versions(pairs: list[tuple[str, str]], manifest: str) -> Iterator[dict[str, Any]]:
    for _, environment_id in pairs:
        yield {
            "id": new_id(),
            "environment_id": environment_id,
            "major": 1,
            "minor": 1,
            "manifest": manifest,
            "bundle": "0" * 64,
            "created_at": 1,
        }


def _integrations(ids: list[str], owner: str) -> Iterator[dict[str, Any]]:
    for each in ids:
        yield {
            "client_id": each,
            "name": "Client",
            "owner_id": owner,
            "redirect_uris": "[]",
            "created_at": 1,
        }


_Places = list[tuple[str, str, str, str]]


def _installations(places: _Places) -> Iterator[dict[str, Any]]:
    for site_id, _, environment_id, _ in places:
        yield {
            "id": new_id(),
            "site_id": site_id,
            "environment_id": environment_id,
            "product": "jira",
            "major": 1,
            "created_at": 1,
        }


def _switches(places: _Places) -> Iterator[dict[str, Any]]:
    for site_id, _, environment_id, _ in places:
        yield {
            "site_id": site_id,
            "environment_id": environment_id,
            "enabled": True,
            "changed_at": 1,
        }


def _links(places: _Places) -> Iterator[dict[str, Any]]:
    for site_id, _, environment_id, client_id in places:
        yield {
            "client_id": client_id,
            "site_id": site_id,
            "environment_id": environment_id,
            "scopes": json.dumps([READ]),
            "product_scopes": json.dumps([JIRA]),
            "created_at": 1,
        }


def _grants(filled: list[Filled]) -> Iterator[dict[str, Any]]:
    for each in filled:
        yield {
            "id": each.grant_id,
            "client_id": each.client_id,
            "account_id": each.account_id,
            "site_id": each.site_id,
            "environment_id": each.environment_id,
            "scopes": json.dumps([READ, JIRA]),
            "created_at": 1,
        }


def _families(filled: list[Filled]) -> Iterator[dict[str, Any]]:
    for each in filled:
        yield {
            "id": each.grant_id,
            "grant_id": each.grant_id,
            "scopes": json.dumps([READ, JIRA]),
            "created_at": 1,
            "expires_at": 2**60,
        }


def _members(pairs: set[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    for account_id, site_id in pairs:
        yield {"account_id": account_id, "site_id": site_id, "role": "member", "created_at": 1}


def _per_call(started_ns: int, calls: int) -> float:
    return round((time.perf_counter_ns() - started_ns) / 1000 / calls, 2)


def _rss_mb() -> float:
    """Of this process, now."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return round(pages * resource.getpagesize() / 2**20, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 1)


def as_markdown(results: list[Result]) -> str:
    """A table for people; the JSON has every round."""
    rows = [
        "# Facts at scale",
        "",
        "`make bench-facts`; microseconds of one walk through the gateway's steps, median of the "
        f"rounds (least to most). Warm: {WORKING_SET:,} tokens with their facts held. "
        "Cold: for each fact that is read from SQLite; in a small database calls share more.",
        "",
        "| installations | grants | database MB | warm | cold, a fact | facts a call "
        "| tokens called | facts held | MB more |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in results:
        more = each.rss_mb_after_all - each.rss_mb_before
        rows.append(
            f"| {each.installations:,} | {each.grants:,} | {each.database_mb:,.0f} "
            f"| {_spread(each.warm_us)} | {_spread(each.cold_us)} "
            f"| {each.loads_per_cold_call} | {each.walked_over:,} "
            f"| {each.held_after_all:,} | {more:.0f} |"
        )
    return "\n".join(rows) + "\n"


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


if __name__ == "__main__":
    main()
