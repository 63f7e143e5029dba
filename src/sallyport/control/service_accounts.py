"""Service accounts of a site: machines that call one app, made and ended by the site's admins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sallyport.control.client_keys import check_keys, keys_of, put_keys
from sallyport.control.links import LinkRequest, check_link, offered_product_scopes
from sallyport.control.names import clean_name
from sallyport.control.places import site_of_admin
from sallyport.control.services import Services
from sallyport.model.access import ClientKey, ServiceAccount
from sallyport.model.directory import Actor, Site
from sallyport.model.registry import App, Environment
from sallyport.store import apps, client_secrets, environments, installed, service_accounts
from sallyport.store.engine import Reader, Tx
from sallyport.store.integrations import integration_by_client_id
from sallyport.vocab import ids
from sallyport.vocab.errors import Reason, Refused

__all__ = [
    "ServiceAccountView",
    "create_service_account",
    "end_previous_secret",
    "end_service_account",
    "list_service_accounts",
    "require_room_on",
    "rotate_secret",
    "set_keys",
    "show_service_account",
]

MOST_OF_ONE_SITE = 500


@dataclass(frozen=True, slots=True)
class ServiceAccountView:
    """A service account as the site's admins see it, with what it may call and where."""

    account: ServiceAccount
    app: App
    environment: Environment
    live_secrets: int
    keys: tuple[ClientKey, ...]
    base_urls: tuple[str, ...]


async def create_service_account(
    services: Services, actor: Actor, name: str, wanted: LinkRequest, jwks: object = None
) -> tuple[ServiceAccountView, str | None]:
    """A new service account and its secret, which is told this once; by an admin of the site.

    With `jwks`, a JWK Set, it signs in by those keys and has no secret. Without product scopes it
    gets those of every product that the app is installed on, since calls fail without them. Raises
    `Refused`.
    """
    cleaned = clean_name(name, "service account's name")
    keys = () if jwks is None else check_keys(jwks)
    secret = None if keys else ids.new_secret(ids.CLIENT_SECRET)

    async def work(tx: Tx) -> ServiceAccountView:
        site = await site_of_admin(tx, actor, wanted.site)
        if actor.account_id is None:
            raise Refused(Reason.NOT_ALLOWED, "A service account is made by an account.")
        products = wanted.product_scopes or await offered_product_scopes(
            tx, actor, wanted.site, wanted.app_id, wanted.environment
        )
        link = await check_link(tx, actor, replace(wanted, product_scopes=products))
        require_room_on(site, await service_accounts.service_accounts_of_site(tx, site.id))
        made = await service_accounts.create_service_account(
            tx,
            actor,
            actor.account_id,
            cleaned,
            link,
            None if secret is None else ids.digest(secret),
        )
        if keys:
            await put_keys(tx, actor, made.client_id, keys)
        return await _view(services, tx, site, made)

    return await services.store.write(work), secret


def require_room_on(site: Site, held: Sequence[ServiceAccount]) -> None:
    """A site has a bounded number of service accounts. Raises `Refused`."""
    if len(held) >= MOST_OF_ONE_SITE:
        raise Refused(
            Reason.CONFLICT,
            f"{site.name} has {MOST_OF_ONE_SITE} service accounts, the most that a site may have.",
            fix="End one that is no longer needed.",
        )


async def list_service_accounts(
    services: Services, actor: Actor, site: str
) -> tuple[ServiceAccountView, ...]:
    """The live service accounts of a site, newest first; for its admins. Raises `Refused`."""

    async def ask(reader: Reader) -> tuple[ServiceAccountView, ...]:
        found = await site_of_admin(reader, actor, site)
        here = await service_accounts.service_accounts_of_site(reader, found.id)
        return tuple([await _view(services, reader, found, each) for each in here])

    return await services.store.read(ask)


async def show_service_account(
    services: Services, actor: Actor, site: str, client_id: str
) -> ServiceAccountView:
    """One service account of a site, for its admins. Raises `Refused`."""

    async def ask(reader: Reader) -> ServiceAccountView:
        found, account = await _of_site(reader, actor, site, client_id)
        return await _view(services, reader, found, account)

    return await services.store.read(ask)


async def end_service_account(services: Services, actor: Actor, site: str, client_id: str) -> None:
    """End a service account, by the site's admins. When this returns, its tokens open nothing.

    Raises `Refused`.
    """

    async def work(tx: Tx) -> None:
        _site, account = await _of_site(tx, actor, site, client_id)
        await service_accounts.end_service_account(tx, actor, account)

    await services.store.write(work)


async def rotate_secret(services: Services, actor: Actor, site: str, client_id: str) -> str:
    """A new secret, told this once; the previous one stays valid until it is ended.

    By the site's admins. Raises `Refused`.
    """
    secret = ids.new_secret(ids.CLIENT_SECRET)

    async def work(tx: Tx) -> None:
        await _of_site(tx, actor, site, client_id)
        await client_secrets.add_secret(tx, actor, client_id, ids.digest(secret))

    await services.store.write(work)
    return secret


async def set_keys(
    services: Services, actor: Actor, site: str, client_id: str, jwks: object
) -> ServiceAccountView:
    """Have it sign in by the keys of this JWK Set alone; its secrets end. By the site's admins.

    None takes the keys away: it signs in no more until it is given a secret. Raises `Refused`.
    """
    keys = () if jwks is None else check_keys(jwks)

    async def work(tx: Tx) -> ServiceAccountView:
        found, account = await _of_site(tx, actor, site, client_id)
        await put_keys(tx, actor, client_id, keys)
        return await _view(services, tx, found, account)

    return await services.store.write(work)


async def end_previous_secret(services: Services, actor: Actor, site: str, client_id: str) -> None:
    """End the older of two secrets, by the site's admins. Raises `Refused`."""

    async def work(tx: Tx) -> None:
        await _of_site(tx, actor, site, client_id)
        if not await client_secrets.end_previous_secret(tx, actor, client_id):
            raise Refused(
                Reason.CONFLICT,
                "The service account has one secret; there is no previous one.",
                fix="Make a new secret first.",
            )

    await services.store.write(work)


async def _of_site(
    reader: Reader, actor: Actor, site: str, client_id: str
) -> tuple[Site, ServiceAccount]:
    found = await site_of_admin(reader, actor, site)
    account = None
    if ids.is_uuid(client_id):
        account = await service_accounts.service_account_by_client(reader, client_id)
    if account is None or account.grant.site_id != found.id:
        raise Refused(
            Reason.NOT_FOUND,
            "There is no such service account on this site.",
            fix="Check the client id; `sallyport service-accounts list` shows those of a site.",
        )
    return found, account


async def _view(
    services: Services, reader: Reader, site: Site, account: ServiceAccount
) -> ServiceAccountView:
    app = await apps.app_by_id(reader, account.grant.app_id)
    environment = await environments.environment_by_id(reader, account.grant.environment_id)
    assert app is not None
    assert environment is not None
    client = await integration_by_client_id(reader, account.client_id)
    here = await installed.installations_of_site(reader, site.id)
    return ServiceAccountView(
        account=account,
        app=app,
        environment=environment,
        live_secrets=len(await client_secrets.live_secret_digests(reader, account.client_id)),
        keys=keys_of(client.jwks if client is not None else None),
        base_urls=tuple(
            url
            for each in here
            if each.environment.id == environment.id
            for url in services.base_urls(site, each.installation.product, app.id, environment.id)
        ),
    )
