"""Consent: which sites an account can allow a request for, and the verb that records a yes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert

from sallyport.model.access import OFFLINE_ACCESS, Integration, IntegrationLink
from sallyport.model.directory import Actor, Site
from sallyport.model.redirects import is_registered
from sallyport.model.registry import App, CustomScope, Environment
from sallyport.store import schema
from sallyport.store.apps import app_by_id
from sallyport.store.authority import site_role
from sallyport.store.engine import Reader, Tx
from sallyport.store.environments import environment_by_id, scopes_of
from sallyport.store.grants import add_to_grant, consented_scopes
from sallyport.store.installed import installations_seen_by
from sallyport.store.integrations import integration_by_client_id
from sallyport.store.lists import write_names
from sallyport.store.locks import hold, hold_integration
from sallyport.store.pushed import end_request
from sallyport.store.versions import manifests
from sallyport.vocab.events import Event

_MOST_PRODUCTS = 100


@dataclass(frozen=True, slots=True)
class Offered:
    """An app environment as a consent page names it; `scopes` as registered, by name."""

    app: App
    environment: Environment
    scopes: dict[str, CustomScope]


@dataclass(frozen=True, slots=True)
class ConsentSite:
    """A site where the account is a member, the app is installed and the integration is linked.

    `manifests` are those of the versions that run there, as JSON text; `consented` what the account
    has allowed there before.
    """

    site: Site
    link: IntegrationLink
    manifests: tuple[str, ...]
    consented: frozenset[str]


@dataclass(frozen=True, slots=True)
class Consent:
    """What an account said yes to. Scopes are un-namespaced.

    `remembered`: nobody was asked, since an earlier yes covers every scope. `declined` was left out
    by choice, and goes from what was allowed before. `resource` is the one API that tokens are for
    (RFC 8707). `pushed` is the digest of the pushed request
    that this answers; it ends with it.
    """

    client_id: str
    account_id: str
    site_id: str
    environment_id: str
    scopes: frozenset[str]
    redirect_uri: str
    redirect_uri_sent: bool
    code_challenge: str | None
    remembered: bool = False
    declined: frozenset[str] = frozenset()
    dpop_jkt: str | None = None
    resource: str | None = None
    pushed: str | None = None


async def offered_environment(reader: Reader, environment_id: str) -> Offered | None:
    """The app environment with its scopes; None where there is none."""
    environment = await environment_by_id(reader, environment_id)
    app = await app_by_id(reader, environment.app_id) if environment is not None else None
    if environment is None or app is None:
        return None
    scopes = {each.name: each for each in await scopes_of(reader, environment_id)}
    return Offered(app, environment, scopes)


async def consent_sites(
    reader: Reader, integration: Integration, environment: Environment, account_id: str
) -> list[ConsentSite]:
    """The sites that the account can allow this integration for, by host."""
    sites = []
    for link in integration.links:
        if link.environment_id != environment.id:
            continue
        found = await _consent_site(reader, integration, link, environment, account_id)
        if found is not None:
            sites.append(found)
    return sorted(sites, key=lambda each: each.site.host)


async def give_consent(tx: Tx, actor: Actor, consent: Consent, digest: str, lifetime: int) -> bool:
    """Record a yes and store the code that carries it, for `lifetime` milliseconds.

    False, and nothing is written, where membership, installation, link, redirect URI or the yes
    that was remembered have gone since the page was drawn, or a pushed request was answered before.
    Raises `Refused` where the integration
    was revoked.
    """
    await hold_integration(tx, consent.client_id)
    # Uninstalling holds it too: a consent comes before it and ends, or after it and is refused.
    await hold(tx, schema.environment, consent.environment_id)
    integration = await integration_by_client_id(tx, consent.client_id)
    environment = await environment_by_id(tx, consent.environment_id)
    if integration is None or environment is None:
        return False
    link = next((each for each in integration.links if _is_for(each, consent)), None)
    if link is None or not is_registered(integration, consent.redirect_uri):
        return False
    if not consent.scopes <= link.scopes | link.product_scopes | {OFFLINE_ACCESS}:
        return False
    here = await _consent_site(tx, integration, link, environment, consent.account_id)
    if here is None or (consent.remembered and not consent.scopes <= here.consented):
        return False
    if consent.pushed is not None and not await end_request(tx, consent.pushed):
        return False
    grant_id = await add_to_grant(
        tx,
        consent.client_id,
        consent.account_id,
        consent.site_id,
        consent.environment_id,
        consent.scopes,
        consent.declined,
    )
    await tx.run(
        insert(schema.authorization_code).values(
            digest=digest,
            grant_id=grant_id,
            client_id=consent.client_id,
            scopes=write_names(consent.scopes),
            redirect_uri=consent.redirect_uri,
            redirect_uri_sent=consent.redirect_uri_sent,
            code_challenge=consent.code_challenge,
            dpop_jkt=consent.dpop_jkt,
            resource=consent.resource,
            expires_at=tx.now + lifetime,
            consumed_at=None,
            family_id=None,
        )
    )
    tx.audit(
        Event.CONSENT_REMEMBERED if consent.remembered else Event.CONSENT_GIVEN,
        actor,
        site_id=consent.site_id,
        app_id=environment.app_id,
        subject=grant_id,
        client_id=consent.client_id,
        environment_id=consent.environment_id,
        scopes=sorted(consent.scopes),
        declined=sorted(consent.declined),
    )
    return True


async def record_denial(
    tx: Tx,
    actor: Actor,
    client_id: str,
    environment: Environment,
    site_id: str | None,
    pushed: str | None = None,
) -> None:
    """Remember that an account said no. A pushed request, by its digest, ends with that."""
    if pushed is not None:
        await end_request(tx, pushed)
    tx.audit(
        Event.CONSENT_DENIED,
        actor,
        site_id=site_id,
        app_id=environment.app_id,
        subject=client_id,
        environment_id=environment.id,
    )


async def _consent_site(
    reader: Reader,
    integration: Integration,
    link: IntegrationLink,
    environment: Environment,
    account_id: str,
) -> ConsentSite | None:
    if await site_role(reader, account_id, link.site_id) is None:
        return None
    installed = await installations_seen_by(
        reader,
        None,
        app_id=environment.app_id,
        environment=environment.key,
        site=link.site_id,
        limit=_MOST_PRODUCTS,
    )
    if not installed:
        return None
    texts = await manifests(reader, {each.version_id for each in installed})
    consented = await consented_scopes(
        reader, integration.client_id, account_id, link.site_id, environment.id
    )
    running = tuple(texts[each] for each in sorted(texts))
    return ConsentSite(installed[0].site, link, running, consented)


def _is_for(link: IntegrationLink, consent: Consent) -> bool:
    return (link.site_id, link.environment_id) == (consent.site_id, consent.environment_id)
