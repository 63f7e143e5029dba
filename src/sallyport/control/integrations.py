"""Integrations (OAuth clients): made by members of a site, managed by who made them.

An admin of a linked site sees an integration and can end it; nobody else knows that it exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sallyport.control.authority import require_site_admin
from sallyport.control.callbacks import check_callbacks
from sallyport.control.client_keys import check_keys, keys_of, put_keys, require_confidential
from sallyport.control.links import (
    LinkRequest,
    LinkView,
    check_link,
    link_views,
    require_room,
)
from sallyport.control.names import clean_name, clean_words
from sallyport.control.places import site_of_admin
from sallyport.control.services import Services
from sallyport.model.access import ClientKey, ClientKind, Integration
from sallyport.model.directory import Account, Actor
from sallyport.store import accounts, client_secrets, environments, integrations, links
from sallyport.store.engine import Reader, Tx
from sallyport.store.locks import hold_integration
from sallyport.vocab import ids
from sallyport.vocab.errors import Reason, Refused

__all__ = [
    "IntegrationView",
    "LinkRequest",
    "LinkView",
    "change_integration",
    "create_integration",
    "end_integration",
    "end_previous_secret",
    "integrations_of_site",
    "link_integration",
    "list_integrations",
    "rotate_secret",
    "set_keys",
    "show_integration",
    "unlink_integration",
]

MOST_OF_ONE_ACCOUNT = 200


@dataclass(frozen=True, slots=True)
class IntegrationView:
    """An integration as its maker, or an admin of a linked site, sees it."""

    integration: Integration
    owner: Account | None
    links: tuple[LinkView, ...]
    live_secrets: int
    keys: tuple[ClientKey, ...] = ()


async def create_integration(
    services: Services,
    actor: Actor,
    name: str,
    redirect_uris: Sequence[str],
    wanted: LinkRequest,
    *,
    public: bool = False,
    forge_compatible: bool = False,
    require_par: bool = False,
    require_dpop: bool = False,
    jwks: object = None,
) -> tuple[IntegrationView, str | None]:
    """A new integration, linked, and its secret, which is told this once. Raises `Refused`.

    A public client (an app on people's devices, a page in a browser) has no secret and always uses
    PKCE. `forge_compatible`: a client of the vendor's, which sends no PKCE. `require_par`: it
    pushes its authorization requests (RFC 9126). `require_dpop`: it gets tokens that are bound to
    a key, and no bearer tokens (RFC 9449). `jwks`: a JWK Set by which it signs in (RFC 7523), in
    the place of a secret.
    """
    cleaned = clean_name(name, "integration's name")
    note = clean_words(wanted.note, "note")
    callbacks = check_callbacks(redirect_uris)
    if public and forge_compatible:
        raise Refused(
            Reason.INVALID_INPUT,
            "A public client cannot be Forge-compatible: nothing but PKCE protects its codes.",
            fix="Leave out one of the two.",
        )
    kind = ClientKind.PUBLIC if public else ClientKind.CONFIDENTIAL
    keys = () if jwks is None else check_keys(jwks)
    secret = None if public or keys else ids.new_secret(ids.CLIENT_SECRET)

    async def work(tx: Tx) -> IntegrationView:
        if actor.account_id is None:
            raise Refused(Reason.NOT_ALLOWED, "An integration belongs to an account.")
        link = await check_link(tx, actor, wanted)
        mine = await integrations.integrations_of_owner(tx, actor.account_id)
        if len(mine) >= MOST_OF_ONE_ACCOUNT:
            raise Refused(
                Reason.CONFLICT,
                f"An account has at most {MOST_OF_ONE_ACCOUNT} integrations.",
                fix="End one that is no longer needed.",
            )
        made = await integrations.create_integration(
            tx,
            actor,
            actor.account_id,
            cleaned,
            callbacks,
            link,
            None if secret is None else ids.digest(secret),
            kind=kind,
            forge_compatible=forge_compatible,
            note=note,
            require_par=require_par,
            require_dpop=require_dpop,
        )
        if keys:
            require_confidential(made)
            await put_keys(tx, actor, made.client_id, keys)
            made = await _own(tx, actor, made.client_id)
        return await _view(services, tx, made)

    return await services.store.write(work), secret


async def list_integrations(services: Services, actor: Actor) -> tuple[IntegrationView, ...]:
    """The integrations that the actor made, newest first."""

    async def ask(reader: Reader) -> tuple[IntegrationView, ...]:
        if actor.account_id is None:
            return ()
        mine = await integrations.integrations_of_owner(reader, actor.account_id)
        return tuple([await _view(services, reader, each) for each in mine])

    return await services.store.read(ask)


async def integrations_of_site(
    services: Services, actor: Actor, site: str
) -> tuple[IntegrationView, ...]:
    """The integrations that are linked to apps on a site, for its admins. Raises `Refused`.

    Their links to other sites are not shown.
    """

    async def ask(reader: Reader) -> tuple[IntegrationView, ...]:
        found = await site_of_admin(reader, actor, site)
        linked = await integrations.integrations_of_site(reader, found.id)
        return tuple([await _view(services, reader, each, {found.id}) for each in linked])

    return await services.store.read(ask)


async def show_integration(services: Services, actor: Actor, client_id: str) -> IntegrationView:
    """One integration, for its maker or an admin of a linked site. Raises `Refused`."""

    async def ask(reader: Reader) -> IntegrationView:
        found, sites = await _visible(reader, actor, client_id)
        return await _view(services, reader, found, sites)

    return await services.store.read(ask)


async def change_integration(
    services: Services,
    actor: Actor,
    client_id: str,
    *,
    name: str | None = None,
    redirect_uris: Sequence[str] | None = None,
    require_par: bool | None = None,
    require_dpop: bool | None = None,
) -> IntegrationView:
    """Another name, other callback URLs, other rules; by its maker. Raises `Refused`.

    With `require_dpop` no bearer tokens are issued from now on; those that live end by themselves.
    """
    cleaned = None if name is None else clean_name(name, "integration's name")
    callbacks = None if redirect_uris is None else check_callbacks(redirect_uris)

    async def work(tx: Tx) -> IntegrationView:
        await _own(tx, actor, client_id)
        changed = await integrations.change_integration(
            tx,
            actor,
            client_id,
            name=cleaned,
            redirect_uris=callbacks,
            require_par=require_par,
            require_dpop=require_dpop,
        )
        return await _view(services, tx, changed)

    return await services.store.write(work)


async def link_integration(
    services: Services, actor: Actor, client_id: str, wanted: LinkRequest
) -> IntegrationView:
    """Link to another app or site, or change a link's scopes; by its maker. Raises `Refused`.

    Consents that were given keep what they were given for; wider scopes need consent anew. Where
    the site requires approval, scopes that the link does not hold yet wait for its admins.
    """
    note = clean_words(wanted.note, "note")

    async def work(tx: Tx) -> IntegrationView:
        await _own(tx, actor, client_id)
        link = await check_link(tx, actor, wanted)
        await hold_integration(tx, client_id)
        require_room(await _own(tx, actor, client_id), link)
        linked = await integrations.set_link(tx, actor, client_id, link, note)
        return await _view(services, tx, linked)

    return await services.store.write(work)


async def unlink_integration(
    services: Services, actor: Actor, client_id: str, site: str, app_id: str, environment: str
) -> None:
    """Remove a link, by the integration's maker or an admin of the site. Raises `Refused`."""

    async def work(tx: Tx) -> None:
        found, sites = await _visible(tx, actor, client_id)
        named = await environments.environment_by_key(tx, app_id, environment)
        views = await _view(services, tx, found, sites)
        for each in views.links:
            if site.lower() in (each.site.id, each.site.host) and each.environment == named:
                await links.remove_link(tx, actor, client_id, each.site.id, each.environment.id)
                return
        raise Refused(
            Reason.NOT_FOUND,
            "The integration has no such link.",
            fix="Check site, app and environment; the integration's page lists its links.",
        )

    await services.store.write(work)


async def end_integration(services: Services, actor: Actor, client_id: str) -> None:
    """Revoke an integration with every consent to it; by its maker or an admin of a linked site.

    Raises `Refused`. When this returns, its tokens open nothing.
    """

    async def work(tx: Tx) -> None:
        await _visible(tx, actor, client_id)
        await integrations.revoke_integration(tx, actor, client_id)

    await services.store.write(work)


async def rotate_secret(services: Services, actor: Actor, client_id: str) -> str:
    """A new secret, told this once; the previous one stays valid until it is ended.

    By the integration's maker. Raises `Refused`.
    """
    secret = ids.new_secret(ids.CLIENT_SECRET)

    async def work(tx: Tx) -> None:
        found = await _own(tx, actor, client_id)
        if found.kind is ClientKind.PUBLIC:
            raise Refused(
                Reason.CONFLICT,
                "A public client has no secret: it could not keep one.",
                fix="Make another integration for a client that runs on a server.",
            )
        await client_secrets.add_secret(tx, actor, client_id, ids.digest(secret))

    await services.store.write(work)
    return secret


async def set_keys(
    services: Services, actor: Actor, client_id: str, jwks: object
) -> IntegrationView:
    """Have it sign in by the keys of this JWK Set alone; its secrets end. By its maker.

    None takes the keys away: it signs in no more until it is given a secret. Raises `Refused`.
    """
    keys = () if jwks is None else check_keys(jwks)

    async def work(tx: Tx) -> IntegrationView:
        require_confidential(await _own(tx, actor, client_id))
        await put_keys(tx, actor, client_id, keys)
        return await _view(services, tx, await _own(tx, actor, client_id))

    return await services.store.write(work)


async def end_previous_secret(services: Services, actor: Actor, client_id: str) -> None:
    """End the older of two secrets, by the integration's maker. Raises `Refused`."""

    async def work(tx: Tx) -> None:
        await _own(tx, actor, client_id)
        if not await client_secrets.end_previous_secret(tx, actor, client_id):
            raise Refused(
                Reason.CONFLICT,
                "The integration has one secret; there is no previous one.",
                fix="Make a new secret first.",
            )

    await services.store.write(work)


async def _own(reader: Reader, actor: Actor, client_id: str) -> Integration:
    """The live integration, if the actor made it."""
    found = await _live(reader, client_id)
    if actor.account_id is not None and found.owner_id != actor.account_id:
        raise _no_such()
    return found


async def _visible(
    reader: Reader, actor: Actor, client_id: str
) -> tuple[Integration, set[str] | None]:
    """The live integration and the sites whose links the actor may see; None means all."""
    found = await _live(reader, client_id)
    if actor.account_id is None or found.owner_id == actor.account_id:
        return found, None
    administered = set()
    for site_id in {each.site_id for each in found.links}:
        try:
            await require_site_admin(reader, actor, site_id)
        except Refused:
            continue
        administered.add(site_id)
    if not administered:
        raise _no_such()
    return found, administered


async def _live(reader: Reader, client_id: str) -> Integration:
    found = None
    if ids.is_uuid(client_id):
        found = await integrations.integration_by_client_id(reader, client_id)
    if found is None or found.revoked_at is not None or found.kind is ClientKind.SERVICE:
        raise _no_such()
    return found


async def _view(
    services: Services, reader: Reader, found: Integration, sites: set[str] | None = None
) -> IntegrationView:
    views = await link_views(services, reader, found)
    return IntegrationView(
        integration=found,
        owner=await accounts.account_by_id(reader, found.owner_id),
        links=tuple(each for each in views if sites is None or each.site.id in sites),
        live_secrets=len(await client_secrets.live_secret_digests(reader, found.client_id)),
        keys=keys_of(found.jwks),
    )


def _no_such() -> Refused:
    return Refused(
        Reason.NOT_FOUND,
        "There is no such integration among yours.",
        fix="Check the client id; `sallyport integrations list` shows yours.",
    )
