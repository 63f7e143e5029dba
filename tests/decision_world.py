"""Callers of two sites, environments and integrations, whose rights are given and taken.

`Truth` is an oracle: it reads the tables anew and has its own few rules. It knows nothing of
facts, sources, tags or steps. `Gateway` walks the real steps over facts that are kept.
"""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from access_world import CALLBACK, JIRA, READ, WRITE, World, actor
from sallyport.gateway.call import Call
from sallyport.gateway.facts import Facts, Lacking
from sallyport.gateway.identity import ACCOUNT_HEADER
from sallyport.gateway.sources import make_sources
from sallyport.gateway.steps import Policy, walk
from sallyport.manifest.load import read_manifest, to_json
from sallyport.model.access import OFFLINE_ACCESS, VerifiedToken
from sallyport.model.directory import SiteRole
from sallyport.model.registry import Environment
from sallyport.store import (
    accounts,
    directory,
    grants,
    installations,
    installed,
    integrations,
    schema,
    versions,
)
from sallyport.store.engine import Reader
from sallyport.tokens.access import TokenCache, mint
from sallyport.tokens.codes import Redeemed
from sallyport.vocab.clock import HOUR
from sallyport.vocab.errors import Refused
from sallyport.vocab.events import Event
from sallyport.vocab.ids import new_id

ISSUER = "https://gateway.test"

# Two versions of the app; the later one moves, drops and guards routes.
VERSIONS: tuple[tuple[tuple[str, str, str, str], ...], ...] = (
    (
        ("list", "GET", "/things", READ),
        ("one", "GET", "/things/*", READ),
        ("any", "GET", "/things/**", WRITE),
        ("make", "POST", "/things", WRITE),
        ("old", "GET", "/old", READ),
    ),
    (
        ("list", "GET", "/things", READ),
        ("one", "GET", "/things/*", WRITE),
        ("make", "POST", "/things", WRITE),
        ("new", "GET", "/new", READ),
    ),
)
TRIED = ("/things", "/things/1", "/things/1/2", "/old", "/new", "/nothing", "/things/", "//things")
# What those paths are, by the table of docs/reference/manifest.md: the most specific route first.
MEANT: dict[str, tuple[str, ...]] = {
    "/things": ("/things",),
    "/things/1": ("/things/*", "/things/**"),
    "/things/1/2": ("/things/**",),
    "/old": ("/old",),
    "/new": ("/new",),
    "/nothing": (),
}


def manifest_text(routes: tuple[tuple[str, str, str, str], ...]) -> str:
    written = "".join(
        f"    - {{key: {key}, operation: {verb}, path: '{path}', function: f, "
        f"scopes: ['{scope}']}}\n"
        for key, verb, path, scope in routes
    )
    text = (
        "app: {runtime: {name: python3}}\nmodules:\n  function: [{key: f, handler: index.f}]\n"
        f"  apiRoute:\n{written}"
    )
    found = read_manifest(text.encode())
    assert found.manifest is not None, found.diagnostics
    return to_json(found.manifest)


@dataclass(frozen=True, slots=True)
class Minted:
    """A token as its maker knows it."""

    raw: str
    grant_id: str
    family_id: str
    client_id: str
    account_id: str
    environment_id: str
    scopes: frozenset[str]
    expires_at: int


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: where to, and with which token; `form` is how the URL names the site."""

    site_id: str
    form: str
    product: str
    environment_id: str
    method: str
    path: str
    token: Minted | None
    now: int


@dataclass(slots=True)
class Truth:
    """The tables as they stand, by what they are looked up by."""

    live: set[str]
    members: set[tuple[str, str]]
    installed: set[tuple[str, str, str]]
    on: set[tuple[str, str]]
    version: dict[str, int]
    grants: dict[str, Any]
    families: dict[str, Any]
    links: dict[tuple[str, str, str], frozenset[str]]
    integrations: set[str]

    def expect(self, asked: Asked) -> tuple[str, str | None]:
        """The reason of the refusal, or "" and the key of the route."""
        if asked.path not in MEANT:
            return "path_not_canonical", None
        if asked.product not in ("jira", "confluence"):
            return "product_unknown", None
        if (asked.site_id, asked.environment_id, asked.product) not in self.installed:
            return "app_not_installed", None
        routes = VERSIONS[self.version[asked.environment_id]]
        fitting = [r for path in MEANT[asked.path] for r in routes if r[2] == path]
        verbs = [route for route in fitting if route[1] == asked.method]
        if not verbs:
            return ("method_not_allowed" if fitting else "route_unknown"), None
        key, _, _, scope = verbs[0]
        return self._may(asked, scope), key

    def _may(self, asked: Asked, scope: str) -> str:
        token = asked.token
        if token is None:
            return "token_invalid"
        if asked.now >= token.expires_at:
            return "token_expired"
        if token.environment_id != asked.environment_id:
            return "token_for_other_app"
        if (asked.site_id, asked.environment_id) not in self.on:
            return "rest_apis_off"
        if token.family_id not in self.families:
            return "token_revoked"
        grant = self.grants.get(token.grant_id)
        if grant is None:
            return "grant_revoked"
        if grant.site_id != asked.site_id:
            return "token_for_other_site"
        if token.client_id not in self.integrations:
            return "integration_revoked"
        link = self.links.get((token.client_id, asked.site_id, asked.environment_id))
        if link is None:
            return "integration_unlinked"
        if token.account_id not in self.live or (
            (token.account_id, asked.site_id) not in self.members
        ):
            return "membership_ended"
        held = token.scopes & frozenset(_words(grant.scopes)) & link
        if scope not in held:
            return "scope_missing"
        return "" if f"read:forge-app:{asked.product}" in held else "product_scope_missing"


def _words(text: str) -> list[str]:
    return [str(each) for each in json.loads(text)]


async def read_truth(reader: Reader, deployed: dict[str, int]) -> Truth:
    async def rows(table: Any) -> Any:
        return await reader.all(select(table))

    return Truth(
        live={row.id for row in await rows(schema.account) if row.active},
        members={(row.account_id, row.site_id) for row in await rows(schema.membership)},
        installed={
            (row.site_id, row.environment_id, row.product)
            for row in await rows(schema.installation)
        },
        on={
            (row.site_id, row.environment_id)
            for row in await rows(schema.rest_api_switch)
            if row.enabled
        },
        version=dict(deployed),
        grants={row.id: row for row in await rows(schema.grant) if row.revoked_at is None},
        families={row.id: row for row in await rows(schema.token_family) if row.revoked_at is None},
        links={
            (row.client_id, row.site_id, row.environment_id): frozenset(
                _words(row.scopes) + _words(row.product_scopes)
            )
            for row in await rows(schema.integration_link)
        },
        integrations={
            row.client_id for row in await rows(schema.integration) if row.revoked_at is None
        },
    )


class Gateway:
    """The steps over facts that are kept, as the platform walks them."""

    def __init__(self, world: World, keys: Any, issuer: str = ISSUER) -> None:
        self.facts = Facts(world.store, bound=60)
        cache = TokenCache()
        world.store.feed.follow(cache.hear)

        def verify(raw: str, now: int) -> VerifiedToken:
            return cache.verify(keys.ring, issuer, raw, now)

        self.policy = Policy(make_sources(Path("bundles")), verify, issuer, forge_compatible=False)
        self._app_id = world.app.id
        self._hosts = {site.id: site.host for site in (world.site, world.other_site)}

    async def decide(self, asked: Asked) -> Call | Refused:
        app = f"apps/{self._app_id}_{asked.environment_id}{asked.path}"
        path = (
            f"/gateway/api/svc/{asked.product}/{app}"
            if asked.form == "host"
            else f"/svc/{asked.product}/{asked.site_id}/{app}"
        )
        bearer = "abc.def.ghi" if asked.token is None else asked.token.raw
        headers = (("authorization", f"Bearer {bearer}"), (ACCOUNT_HEADER, "forged"))
        host = self._hosts[asked.site_id] if asked.form == "host" else "gateway.test"
        call = Call(
            asked.method, path, "", host, headers, 0, asked.now, "t" * 32, new_id(), new_id()
        )
        while True:
            try:
                walk(call, self.facts, self.policy)
            except Lacking as lacking:
                await self.facts.load(lacking)
            except Refused as refused:
                return refused
            else:
                return call


class History:
    """Calls and changes, one at a time, by a seeded choice."""

    def __init__(self, world: World, keys: Any, seed_number: int) -> None:
        self.world = world
        self.store = world.store
        self.keys = keys
        self.choose = random.Random(seed_number)
        self.gateway = Gateway(world, keys)
        self.sites = [world.site.id, world.other_site.id]
        self.environments = [world.environment, world.other_environment]
        self.people = [world.member.id, world.admin.id, world.developer.id]
        self.clients = [world.client_id, world.rival.client_id]
        self.tokens: list[Minted] = []
        self.site_of: dict[str, str] = {}
        self.deployed = {each.id: 0 for each in self.environments}
        self.by = actor(world.admin)
        self.changes: tuple[Callable[[], Awaitable[Any]], ...] = (
            *(self.switch,) * 9,
            *(self.membership,) * 4,
            *(self.account,) * 3,
            *(self.link,) * 6,
            *(self.unlink,) * 2,
            *(self.revoke_grant,) * 2,
            *(self.end_family,) * 2,
            *(self.installation,) * 3,
            *(self.deploy,) * 3,
            *(self.consent,) * 30,
            self.revoke_integration,
        )

    async def begin(self) -> None:
        for environment in self.environments:
            await self.deploy_version(environment, 0)
            for site_id in self.sites:
                await self.store.write(
                    installations.set_switch, self.by, site_id, environment, True
                )
        await self.mend_links()
        for _ in range(30):
            await self.consent()
        assert self.tokens

    async def truth(self) -> Truth:
        return await self.store.read(read_truth, self.deployed)

    def ask(self) -> Asked:
        token = self.choose.choice(self.tokens[-16:]) if self.choose.random() < 0.96 else None
        site_id = self.choose.choice(self.sites)
        environment_id = self.choose.choice(self.environments).id
        if token is not None and self.choose.random() < 0.85:
            # Where the token is for, so that most calls come to the later gates.
            environment_id = token.environment_id
            site_id = self.site_of[token.grant_id]
        return Asked(
            site_id,
            self.choose.choice(("host", "cloud id")),
            self.choose.choice(("jira",) * 30 + ("confluence", "crm")),
            environment_id,
            self.choose.choice(("GET",) * 9 + ("POST", "POST", "PUT")),
            self.choose.choice(TRIED[:3] * 14 + TRIED),
            token,
            self.store.clock.now() + (2 * HOUR if self.choose.random() < 0.02 else 0),
        )

    # ---- what is given and taken

    async def consent(self) -> None:
        client_id = self.choose.choice(self.clients)
        site_id, environment = (
            self.choose.choice(self.sites),
            self.choose.choice(self.environments),
        )
        account_id = self.choose.choice(self.people)
        custom = self.choose.choice(([READ], [WRITE], [READ, WRITE], [READ, WRITE]))
        product = [JIRA] if self.choose.random() < 0.9 else []
        scopes = frozenset([*custom, *product, OFFLINE_ACCESS])
        try:
            code = await self.world.consent(
                client_id=client_id,
                account_id=account_id,
                site_id=site_id,
                environment_id=environment.id,
                scopes=scopes,
            )
        except AssertionError:
            return
        made = await self.world.redeem(code, client_id=client_id, redirect_uri=CALLBACK)
        if not isinstance(made, Redeemed):
            return
        now = self.store.clock.now()
        raw = mint(
            self.keys.ring,
            ISSUER,
            made.issue.grant,
            made.issue.family_id,
            made.issue.scopes,
            expires_at=now + HOUR,
            now=now,
        )
        self.site_of[made.issue.grant.id] = made.issue.grant.site_id
        self.tokens.append(
            Minted(
                raw,
                made.issue.grant.id,
                made.issue.family_id,
                client_id,
                account_id,
                environment.id,
                made.issue.scopes,
                now + HOUR,
            )
        )

    async def switch(self) -> None:
        on = self.choose.random() < 0.85
        await self.store.write(
            installations.set_switch,
            self.by,
            self.choose.choice(self.sites),
            self.choose.choice(self.environments),
            on,
        )

    async def membership(self) -> None:
        account_id, site_id = self.choose.choice(self.people), self.choose.choice(self.sites)
        if self.choose.random() < 0.3:
            await self.store.write(directory.end_membership, account_id, site_id)
        else:
            role = self.choose.choice((SiteRole.MEMBER, SiteRole.ADMIN))
            await self.store.write(directory.set_membership, account_id, site_id, role)

    async def account(self) -> None:
        active = self.choose.random() < 0.8
        await self.store.write(accounts.set_active, self.choose.choice(self.people), active)

    async def link(self) -> None:
        custom = self.choose.choice(({READ}, {READ, WRITE}, {READ, WRITE}, {WRITE}))
        link = self.world.link(
            site_id=self.choose.choice(self.sites),
            environment_id=self.choose.choice(self.environments).id,
            scopes=frozenset(custom),
            product_scopes=frozenset({JIRA} if self.choose.random() < 0.9 else ()),
        )
        client_id = self.choose.choice(self.clients)
        await self.store.write(integrations.set_link, self.by, client_id, link)

    async def unlink(self) -> None:
        await self.store.write(
            integrations.remove_link,
            self.by,
            self.choose.choice(self.clients),
            self.choose.choice(self.sites),
            self.choose.choice(self.environments).id,
        )

    async def revoke_grant(self) -> None:
        token = self.choose.choice(self.tokens)
        await self.store.write(grants.end_grant, self.by, token.grant_id)

    async def end_family(self) -> None:
        token = self.choose.choice(self.tokens)
        await self.store.write(grants.end_family, self.by, token.family_id, Event.TOKEN_REVOKED)

    async def revoke_integration(self) -> None:
        """An integration ends for ever; another takes its place."""
        at = self.choose.randrange(len(self.clients))
        await self.store.write(integrations.revoke_integration, self.by, self.clients[at])
        made = await self.store.write(
            integrations.create_integration,
            actor(self.world.developer),
            self.world.developer.id,
            "Next",
            (CALLBACK,),
            self.world.link(),
            new_id().replace("-", "") * 2,
            forge_compatible=True,
        )
        self.clients[at] = made.client_id
        await self.mend_links()

    async def mend_links(self) -> None:
        for client_id in self.clients:
            for site_id in self.sites:
                for environment in self.environments:
                    link = self.world.link(site_id=site_id, environment_id=environment.id)
                    await self.store.write(integrations.set_link, self.by, client_id, link)

    async def installation(self) -> None:
        site_id, environment = (
            self.choose.choice(self.sites),
            self.choose.choice(self.environments),
        )
        product = self.choose.choice(("jira", "jira", "confluence"))
        there = await self.store.read(installed.installations_of_site, site_id)
        mine = [
            each
            for each in there
            if (each.installation.environment_id, each.installation.product)
            == (environment.id, product)
        ]
        if not mine:
            await self.store.write(
                installations.add_installation, self.by, site_id, environment, product
            )
        elif product == "confluence" or self.choose.random() < 0.12:
            await self.store.write(installations.remove_installation, self.by, mine[0])

    async def deploy(self) -> None:
        await self.deploy_version(
            self.choose.choice(self.environments), self.choose.randrange(len(VERSIONS))
        )

    async def deploy_version(self, environment: Environment, which: int) -> None:
        await self.store.write(
            versions.add_version,
            self.by,
            environment,
            manifest=manifest_text(VERSIONS[which]),
            bundle="0" * 64,
            tag=None,
            judge=lambda _newest, _registered: False,
        )
        self.deployed[environment.id] = which
