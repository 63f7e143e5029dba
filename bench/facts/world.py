"""A SQLite database of as many installations and grants as are asked for, quickly made."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from sallyport.manifest.load import read_manifest, to_json
from sallyport.store import schema

MANIFEST = Path(__file__).resolve().parents[2] / "examples/employee-directory/manifest.yml"
READ, JIRA = "read:employee:custom", "read:forge-app:jira"
APPS = 10
GRANTS_OF_ONE_PERSON = 100

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Granted:
    """One grant with what a call needs to name."""

    site_id: str
    app_id: str
    environment_id: str
    client_id: str
    account_id: str
    grant_id: str


class World:
    """Who is who. All follows from numbers, so that nothing of it need be held.

    A few apps, each installed on every site and called by one integration, as a vendor's is.
    """

    def __init__(self, installations: int, grants: int) -> None:
        self.installations, self.grants = installations, grants
        self.apps = min(installations, APPS)
        self.sites = -(-installations // self.apps)
        self.people = max(10, grants // GRANTS_OF_ONE_PERSON)

    def place(self, number: int) -> tuple[str, str, str, str]:
        """Site, app, environment and integration of an installation."""
        site, app = number // self.apps, number % self.apps
        return _id("s", site), _id("a", app), _id("e", app), _id("c", app)

    def granted(self, number: int) -> Granted:
        # Scattered, so that people are members of many sites and not each of the same few.
        person = number * 2_654_435_761 % 2**32 * self.people >> 32
        place = self.place(number % self.installations)
        return Granted(*place, _id("p", person), _id("g", number))


def fill(path: Path, world: World) -> float:
    """Fill a migrated database that nobody else has open; the seconds that it took.

    Every grant has a family of the same id.
    """
    began = time.perf_counter()
    database = sqlite3.connect(path, isolation_level=None)
    # Nobody minds if it is lost: it is made anew each time.
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000"):
        database.execute(f"PRAGMA {pragma}")
    indexes = "SELECT name, sql FROM sqlite_master WHERE type='index' AND sql IS NOT NULL"
    dropped = database.execute(indexes).fetchall()
    database.execute("BEGIN")
    for name, _ in dropped:
        database.execute(f"DROP INDEX {name}")
    for table, columns, rows in _tables(world):
        marks = ", ".join("?" * len(columns.split()))
        names = ", ".join(columns.split())
        insert = f"INSERT OR IGNORE INTO {table.name} ({names}) VALUES ({marks})"
        database.executemany(insert, rows)
    for _, sql in dropped:
        database.execute(sql)
    database.execute("COMMIT")
    database.execute("PRAGMA journal_mode=WAL")
    database.close()
    return time.perf_counter() - began


def _tables(world: World) -> Iterable[tuple[Table, str, Iterable[Row]]]:
    manifest = read_manifest(MANIFEST.read_bytes()).manifest
    assert manifest is not None
    stored = to_json(manifest)
    sites = [_id("s", number) for number in range(world.sites)]
    people = [_id("p", number) for number in range(world.people)]
    apps = range(world.apps)
    custom, products, both = (json.dumps(each) for each in ([READ], [JIRA], [READ, JIRA]))

    def places() -> Iterator[tuple[int, tuple[str, str, str, str]]]:
        return ((number, world.place(number)) for number in range(world.installations))

    def grants() -> Iterator[Granted]:
        return (world.granted(number) for number in range(world.grants))

    yield schema.organization, "id name created_at", [("o", "Bench", 1)]
    yield schema.product, "key name", [("jira", "Jira")]
    yield (
        schema.site,
        "id organization_id host name approval_required created_at",
        ((each, "o", f"{each}.test", "Site", 0, 1) for each in sites),
    )
    yield schema.site_product, "site_id product", ((each, "jira") for each in sites)
    yield (
        schema.account,
        "id email name operator active created_at",
        ((each, f"{each}@bench.test", "Person", 0, 1, 1) for each in people),
    )
    yield schema.app, "id name created_at", ((_id("a", each), "App", 1) for each in apps)
    yield (
        schema.environment,
        "id app_id key created_at",
        ((_id("e", each), _id("a", each), "development", 1) for each in apps),
    )
    yield (
        schema.version,
        "id environment_id major minor manifest bundle created_at",
        ((_id("v", each), _id("e", each), 1, 1, stored, "0" * 64, 1) for each in apps),
    )
    yield (
        schema.integration,
        "client_id name owner_id redirect_uris created_at",
        ((_id("c", each), "Client", people[0], "[]", 1) for each in apps),
    )
    yield (
        schema.installation,
        "id site_id environment_id product major created_at",
        (
            (_id("i", number), site, environment, "jira", 1, 1)
            for number, (site, _, environment, _) in places()
        ),
    )
    yield (
        schema.rest_api_switch,
        "site_id environment_id enabled changed_at",
        ((site, environment, 1, 1) for _, (site, _, environment, _) in places()),
    )
    yield (
        schema.integration_link,
        "client_id site_id environment_id scopes product_scopes created_at",
        (
            (client, site, environment, custom, products, 1)
            for _, (site, _, environment, client) in places()
        ),
    )
    yield (
        schema.grant,
        "id client_id account_id site_id environment_id scopes created_at",
        (
            (g.grant_id, g.client_id, g.account_id, g.site_id, g.environment_id, both, 1)
            for g in grants()
        ),
    )
    yield (
        schema.token_family,
        "id grant_id scopes created_at expires_at",
        ((_id("g", n), _id("g", n), both, 1, 2**60) for n in range(world.grants)),
    )
    yield (
        schema.membership,
        "account_id site_id role created_at",
        ((each.account_id, each.site_id, "member", 1) for each in grants()),
    )


def _id(kind: str, number: int) -> str:
    """The same id each time, scattered like those that are drawn."""
    digest = hashlib.md5(f"{kind}{number}".encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:]}"
