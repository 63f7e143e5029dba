"""Installations and the REST APIs switch of each site and app environment."""

from __future__ import annotations

from sqlalchemy import and_, delete, insert, select, update

from sallyport.model.directory import Actor
from sallyport.model.registry import Environment, Installation
from sallyport.store import schema
from sallyport.store.changes import Kind
from sallyport.store.dialect import insert_into
from sallyport.store.engine import Tx
from sallyport.store.grants import end_grants
from sallyport.store.installed import Installed, Switch, switch_of
from sallyport.store.locks import hold
from sallyport.store.versions import newest_version
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event
from sallyport.vocab.ids import new_id

_INSTALLATION = schema.installation.c
_SWITCH = schema.rest_api_switch.c


async def add_installation(
    tx: Tx, actor: Actor, site_id: str, environment: Environment, product: str
) -> Installation:
    """Install the newest version of an app environment on one product of a site.

    Raises `Refused` where nothing is deployed, the site lacks the product, or it is there already.
    """
    if not await hold(tx, schema.environment, environment.id):
        raise Refused(Reason.NOT_FOUND, "The environment was deleted.")
    newest = await newest_version(tx, environment.id)
    if newest is None:
        raise Refused(
            Reason.CONFLICT,
            f"Nothing is deployed to {environment.key} yet.",
            fix=f"Run `sallyport deploy -e {environment.key}`, then install.",
        )
    offered = {
        row.product
        for row in await tx.all(
            select(schema.site_product.c.product).where(schema.site_product.c.site_id == site_id)
        )
    }
    if product not in offered:
        raise Refused(
            Reason.PRODUCT_UNKNOWN,
            f"The site does not run {product}.",
            fix=f"Choose one of: {', '.join(sorted(offered))}." if offered else None,
        )
    there = await tx.first(
        select(_INSTALLATION.id).where(
            _INSTALLATION.site_id == site_id,
            _INSTALLATION.environment_id == environment.id,
            _INSTALLATION.product == product,
        )
    )
    if there is not None:
        raise Refused(
            Reason.ALREADY_EXISTS,
            f"The app is installed on {product} of this site already.",
            fix="New minor versions arrive by themselves; for a major one, upgrade.",
        )
    made = Installation(
        new_id(), site_id, environment.id, product, newest.major, actor.account_id, tx.now
    )
    await tx.run(
        insert(schema.installation).values(
            {name: getattr(made, name) for name in Installation.__slots__}
        )
    )
    tx.changed(Kind.INSTALLATION, f"{site_id}/{environment.id}")
    tx.audit(
        Event.APP_INSTALLED,
        actor,
        site_id=site_id,
        app_id=environment.app_id,
        subject=made.id,
        environment=environment.key,
        product=product,
        version=newest.number,
    )
    return made


async def upgrade_installation(tx: Tx, actor: Actor, installed: Installed) -> bool:
    """Move to the newest major; False where it is there already."""
    environment, installation = installed.environment, installed.installation
    await hold(tx, schema.environment, environment.id)
    newest = await newest_version(tx, environment.id)
    if newest is None:
        return False
    moved = await tx.run(
        update(schema.installation)
        .where(_INSTALLATION.id == installation.id, _INSTALLATION.major < newest.major)
        .values(major=newest.major)
    )
    if moved.rowcount == 0:
        return False
    tx.changed(Kind.INSTALLATION, f"{installation.site_id}/{environment.id}")
    tx.audit(
        Event.APP_UPGRADED,
        actor,
        site_id=installation.site_id,
        app_id=environment.app_id,
        subject=installation.id,
        environment=environment.key,
        product=installation.product,
        was=installed.number,
        version=newest.number,
    )
    return True


async def remove_installation(tx: Tx, actor: Actor, installed: Installed) -> bool:
    """Uninstall, with the app's data of this installation; False where it was gone already.

    With the last product of the site go the switch and the consents: a later installation starts
    off, and nobody who consented before it is let in by that.
    """
    environment, installation = installed.environment, installed.installation
    site_id = installation.site_id
    await hold(tx, schema.environment, environment.id)
    gone = await tx.run(delete(schema.installation).where(_INSTALLATION.id == installation.id))
    if gone.rowcount == 0:
        return False
    here = and_(_INSTALLATION.site_id == site_id, _INSTALLATION.environment_id == environment.id)
    last = await tx.first(select(_INSTALLATION.id).where(here).limit(1)) is None
    if last:
        await tx.run(
            delete(schema.rest_api_switch).where(
                _SWITCH.site_id == site_id, _SWITCH.environment_id == environment.id
            )
        )
        grant = schema.grant.c
        await end_grants(
            tx,
            actor,
            grant.site_id == site_id,
            grant.environment_id == environment.id,
            reason="The app was uninstalled",
        )
    tx.changed(Kind.INSTALLATION, f"{site_id}/{environment.id}")
    tx.changed(Kind.SWITCH, f"{site_id}/{environment.id}")
    tx.audit(
        Event.APP_UNINSTALLED,
        actor,
        site_id=site_id,
        app_id=environment.app_id,
        subject=installation.id,
        environment=environment.key,
        product=installation.product,
    )
    return True


async def set_switch(
    tx: Tx, actor: Actor, site_id: str, environment: Environment, enabled: bool
) -> Switch:
    """Turn REST APIs of an app environment on or off for a site.

    Raises `Refused` where the app is not installed on the site.
    """
    await hold(tx, schema.environment, environment.id)
    held = await switch_of(tx, site_id, environment.id)
    if held is None:
        raise Refused(
            Reason.NOT_FOUND,
            "The app is not installed on this site.",
            fix="Install the app first, then turn its REST APIs on.",
        )
    if held.enabled == enabled:
        return held
    values = {"enabled": enabled, "changed_by": actor.account_id, "changed_at": tx.now}
    await tx.run(
        insert_into(tx, schema.rest_api_switch)
        .values(site_id=site_id, environment_id=environment.id, **values)
        .on_conflict_do_update(index_elements=["site_id", "environment_id"], set_=values)
    )
    tx.changed(Kind.SWITCH, f"{site_id}/{environment.id}")
    tx.audit(
        Event.REST_APIS_ENABLED if enabled else Event.REST_APIS_DISABLED,
        actor,
        site_id=site_id,
        app_id=environment.app_id,
        subject=environment.id,
        environment=environment.key,
    )
    return Switch(enabled, tx.now, actor.account_id)
