"""A small world with something to consent to: two apps, two sites, four people, one integration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from sallyport.manifest.load import read_manifest, to_json
from sallyport.model.access import OFFLINE_ACCESS, Integration, IntegrationLink
from sallyport.model.directory import Account, Actor, Site, SiteRole
from sallyport.model.redemption import CodeOffer, Denial, RefreshOffer
from sallyport.model.registry import App, CustomScope, Environment
from sallyport.store import (
    accounts,
    apps,
    directory,
    environments,
    installations,
    integrations,
    schema,
    versions,
)
from sallyport.store.consent import Consent, give_consent
from sallyport.store.engine import Reader, Store, Tx
from sallyport.tokens.codes import Redeemed, new_code, redeem
from sallyport.tokens.policy import TokenPolicy
from sallyport.tokens.refresh import rotate
from sallyport.vocab import ids

WithStore = Callable[..., Any]

POLICY = TokenPolicy()
CALLBACK = "https://client.test/cb?a=1"
OTHER_CALLBACK = "https://client.test/other"
READ, WRITE = "read:employee:custom", "write:employee:custom"
JIRA = "read:forge-app:jira"
SCOPES = frozenset({READ, WRITE, JIRA, OFFLINE_ACCESS})
MANIFEST = Path(__file__).parents[1] / "examples/employee-directory/manifest.yml"


@dataclass(frozen=True)
class World:
    """`member` belongs to both sites, `admin` runs them, `outsider` belongs to none.

    `integration` is linked to `app` in development on both sites; `rival` on `site` alone.
    """

    store: Store
    app: App
    environment: Environment
    other_environment: Environment
    site: Site
    other_site: Site
    member: Account
    admin: Account
    developer: Account
    outsider: Account
    integration: Integration
    secret: str
    rival: Integration
    rival_secret: str

    @property
    def client_id(self) -> str:
        return self.integration.client_id

    @property
    def namespace(self) -> str:
        return self.environment.namespace

    def link(self, **changes: Any) -> IntegrationLink:
        link = IntegrationLink(
            self.site.id,
            self.app.id,
            self.environment.id,
            frozenset({READ, WRITE}),
            frozenset({JIRA}),
        )
        return replace(link, **changes)

    async def consent(self, **changes: Any) -> str:
        """A fresh code that the member's consent gave."""
        code, digest = new_code()
        wanted = Consent(
            client_id=self.client_id,
            account_id=self.member.id,
            site_id=self.site.id,
            environment_id=self.environment.id,
            scopes=SCOPES,
            redirect_uri=CALLBACK,
            redirect_uri_sent=True,
            code_challenge=None,
        )
        given = await self.store.write(
            give_consent,
            actor(self.member),
            replace(wanted, **changes),
            digest,
            POLICY.code_lifetime,
        )
        assert given
        return code

    async def redeem(self, code: str, **changes: Any) -> Redeemed | Denial:
        offer = replace(CodeOffer(self.client_id, CALLBACK, None), **changes)
        return await redeem(self.store, POLICY, code, offer, "192.0.2.9")

    async def tokens(self, **changes: Any) -> Redeemed:
        """Tokens from a fresh consent."""
        redeemed = await self.redeem(await self.consent(**changes))
        assert isinstance(redeemed, Redeemed)
        return redeemed

    async def refresh(self, token: str | None, **changes: Any) -> Redeemed | Denial:
        assert token is not None
        offer = replace(RefreshOffer(self.client_id, None), **changes)
        return await rotate(self.store, POLICY, token, offer, "192.0.2.9")


def actor(account: Account) -> Actor:
    return Actor(account.id, account.name, account.operator, "192.0.2.7")


async def seed(store: Store) -> World:
    """The world, on an empty store."""
    people = {}
    for name in ("developer", "admin", "member", "outsider"):
        made = await store.write(
            accounts.add_account, f"{name}@acme.test", name.capitalize(), None, operator=False
        )
        assert made is not None
        people[name] = made
    sites = await store.write(_add_sites, people)
    builder = actor(people["developer"])
    app, (development, staging, _production) = await store.write(apps.add_app, builder, "People")
    for environment in (development, staging):
        await _deploy(store, builder, environment)
        for site in sites:
            await store.write(installations.add_installation, builder, site.id, environment, "jira")
    secrets = [ids.new_secret(ids.CLIENT_SECRET) for _ in range(2)]
    clients = [
        await store.write(
            integrations.create_integration,
            builder,
            people["developer"].id,
            name,
            (CALLBACK,),
            IntegrationLink(
                sites[0].id,
                app.id,
                development.id,
                frozenset({READ, WRITE}),
                frozenset({JIRA}),
            ),
            ids.digest(secret),
            forge_compatible=True,
        )
        for name, secret in zip(("Sync", "Rival"), secrets, strict=True)
    ]
    world = World(
        store,
        app,
        development,
        staging,
        sites[0],
        sites[1],
        people["member"],
        people["admin"],
        people["developer"],
        people["outsider"],
        clients[0],
        secrets[0],
        clients[1],
        secrets[1],
    )
    linked = await store.write(
        integrations.set_link, builder, world.client_id, world.link(site_id=sites[1].id)
    )
    return replace(world, integration=linked)


async def _add_sites(tx: Tx, people: dict[str, Account]) -> list[Site]:
    organization = await directory.add_organization(tx, "Acme")
    for key in ("jira", "confluence"):
        await directory.add_product(tx, key, key.capitalize())
    sites = []
    for host, name in (("acme.test", "Acme"), ("beta.test", "Beta")):
        site = await directory.add_site(tx, organization.id, host, name, ["jira", "confluence"])
        assert site is not None
        sites.append(site)
        for person, role in (
            ("developer", SiteRole.MEMBER),
            ("member", SiteRole.MEMBER),
            ("admin", SiteRole.ADMIN),
        ):
            await directory.set_membership(tx, people[person].id, site.id, role)
    return sites


async def _deploy(store: Store, builder: Actor, environment: Environment) -> None:
    manifest = read_manifest(MANIFEST.read_bytes()).manifest
    assert manifest is not None
    await store.write(
        environments.register_scopes,
        builder,
        environment,
        [
            CustomScope(READ, "Reads names.", "Read employees"),
            CustomScope(WRITE, "Changes names.", None),
        ],
        20,
    )
    await store.write(
        versions.add_version,
        builder,
        environment,
        manifest=to_json(manifest),
        bundle="0" * 64,
        tag=None,
        judge=lambda _newest, _registered: False,
    )


async def audited(reader: Reader, *names: str) -> list[str]:
    """The events of these names, in order."""
    rows = await reader.all(select(schema.audit.c.event).order_by(schema.audit.c.seq))
    return [row.event for row in rows if row.event in names]


def refresh_token(redeemed: Redeemed | Denial) -> str:
    """The refresh token, which must be there."""
    assert isinstance(redeemed, Redeemed), redeemed
    assert redeemed.refresh_token is not None
    return redeemed.refresh_token
