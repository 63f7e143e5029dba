"""Approval: admins of a site say which scopes of its apps integrations may use.

With the rule on, what a link asks for waits in a queue. What is approved becomes the link's own;
what is refused or taken back does not open anything, whoever consented to it. A service account
that a member asks for waits there too, whatever the rule is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sallyport.control.names import clean_words
from sallyport.control.places import site_of_admin
from sallyport.control.service_accounts import require_room_on
from sallyport.control.services import Services
from sallyport.model.access import ClientKind, Integration
from sallyport.model.approval import Approval, ApprovalState
from sallyport.model.directory import Account, Actor, Site
from sallyport.model.registry import App, Environment
from sallyport.store import (
    accounts,
    approvals,
    apps,
    environments,
    integrations,
    links,
    service_accounts,
)
from sallyport.store.engine import Reader, Tx
from sallyport.store.service_requests import answer_service_request
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import is_uuid

__all__ = [
    "ApprovalView",
    "Queue",
    "answer_approval",
    "approval_queue",
    "require_approval",
    "take_back_scopes",
]


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """A request, or its answer, with the names that a person knows its parts by.

    `titles` gives the display name of each scope by its name, where the app gave one.
    """

    approval: Approval
    integration: Integration
    app: App
    environment: Environment
    asked_by: Account | None
    decided_by: Account | None
    titles: dict[str, str]

    @property
    def for_service_account(self) -> bool:
        """Whether a member asks for a machine, and not for an integration that acts for people."""
        return self.integration.kind is ClientKind.SERVICE


@dataclass(frozen=True, slots=True)
class Queue:
    """Whether new links on the site wait for its admins, and what waits or was answered."""

    site: Site
    required: bool
    items: tuple[ApprovalView, ...]


async def approval_queue(
    services: Services, actor: Actor, site: str, *, pending: bool = True
) -> Queue:
    """What waits, oldest first; or all that was answered too. For admins. Raises `Refused`."""

    async def ask(reader: Reader) -> Queue:
        found = await site_of_admin(reader, actor, site)
        rows = await approvals.approvals_of_site(reader, found.id, pending=pending)
        required = await approvals.approval_required(reader, found.id)
        return Queue(found, required, await _views(reader, rows))

    return await services.store.read(ask)


async def require_approval(
    services: Services, actor: Actor, site: str, required: bool, reason: str = ""
) -> Queue:
    """Set whether new links on the site wait for its admins; by them. Raises `Refused`.

    Links that exist stay as they are, either way; what waits goes on waiting.
    """
    why = clean_words(reason, "reason")

    async def work(tx: Tx) -> Queue:
        found = await site_of_admin(tx, actor, site)
        await approvals.require_approval(tx, actor, found.id, required, why)
        rows = await approvals.approvals_of_site(tx, found.id, pending=True)
        return Queue(found, required, await _views(tx, rows))

    return await services.store.write(work)


async def answer_approval(
    services: Services,
    actor: Actor,
    site: str,
    approval_id: str,
    approved: Sequence[str],
    reason: str = "",
) -> ApprovalView:
    """Approve these of the scopes asked for and refuse the others; by admins of the site.

    A refusal needs a reason, which the integration's owner reads. Raises `Refused`: CONFLICT where
    another admin was first.
    """
    names = frozenset(approved)

    async def work(tx: Tx) -> ApprovalView:
        found = await site_of_admin(tx, actor, site)
        waiting = await _of_site(tx, found, approval_id)
        if waiting.state is not ApprovalState.PENDING:
            raise _answered()
        beyond = names - waiting.asked
        if beyond:
            raise Refused(
                Reason.INVALID_INPUT,
                f"Not asked for in this request: {', '.join(sorted(beyond))}.",
                fix=f"Choose from: {', '.join(sorted(waiting.asked))}.",
            )
        why = clean_words(reason, "reason", needed=names != waiting.asked)
        asked = await integrations.integration_by_client_id(tx, waiting.client_id)
        service = asked is not None and asked.kind is ClientKind.SERVICE
        if service:
            await _check_service_account(tx, found, waiting, names)
        settle = answer_service_request if service else links.answer_approval
        if not await settle(tx, actor, waiting, names, why):
            raise _answered()
        settled = await approvals.approval_by_id(tx, approval_id)
        return (await _views(tx, [settled] if settled is not None else []))[0]

    return await services.store.write(work)


async def take_back_scopes(
    services: Services,
    actor: Actor,
    site: str,
    client_id: str,
    app_id: str,
    environment_key: str,
    scopes: Iterable[str],
    reason: str,
) -> tuple[str, ...]:
    """Take scopes from an integration's or a service account's link; by admins of the site.

    When this returns, no later call is let in by them. Returns what the link held of them, which
    may be fewer. Raises `Refused`: CONFLICT while the site requires no approval, since the owner of
    an integration could then add them again.
    """
    names = frozenset(scopes)
    why = clean_words(reason, "reason", needed=True)

    async def work(tx: Tx) -> tuple[str, ...]:
        found = await site_of_admin(tx, actor, site)
        integration = await _linked_here(tx, found, client_id)
        named = await environments.environment_by_key(tx, app_id, environment_key)
        here = (found.id, named.id if named is not None else None)
        link = next(
            (each for each in integration.links if (each.site_id, each.environment_id) == here),
            None,
        )
        if link is None:
            raise _no_such_link()
        service = integration.kind is ClientKind.SERVICE
        if not service and not await approvals.approval_required(tx, found.id):
            raise Refused(
                Reason.CONFLICT,
                f"{found.name} requires no approval: the owner could add the scopes again.",
                fix="Require approval first, or end the integration's link or the integration.",
            )
        taken = await links.take_back(tx, actor, client_id, link, names, why)
        if not taken:
            raise Refused(
                Reason.CONFLICT,
                "The integration holds none of these scopes on this site.",
                fix=f"It holds: {', '.join(sorted(link.scopes | link.product_scopes)) or 'none'}.",
            )
        return tuple(sorted(taken))

    return await services.store.write(work)


async def _check_service_account(
    reader: Reader, site: Site, waiting: Approval, approved: frozenset[str]
) -> None:
    """What is approved must be of use, and the site have room for it. Raises `Refused`."""
    if not approved:
        return
    if not approved & waiting.scopes:
        raise Refused(
            Reason.INVALID_INPUT,
            "A service account needs at least one custom scope of the app.",
            fix=f"Approve one of {', '.join(sorted(waiting.scopes))}, or refuse all.",
        )
    require_room_on(site, await service_accounts.service_accounts_of_site(reader, site.id))


async def _of_site(reader: Reader, site: Site, approval_id: str) -> Approval:
    found = await approvals.approval_by_id(reader, approval_id) if is_uuid(approval_id) else None
    if found is None or found.site_id != site.id:
        raise Refused(
            Reason.NOT_FOUND,
            "There is no such request on this site.",
            fix="It may have been withdrawn or changed by who asked; list the queue again.",
        )
    return found


async def _linked_here(reader: Reader, site: Site, client_id: str) -> Integration:
    found = None
    if is_uuid(client_id):
        found = await integrations.integration_by_client_id(reader, client_id)
    if (
        found is None
        or found.revoked_at is not None
        or site.id not in {each.site_id for each in found.links}
    ):
        raise _no_such_link()
    return found


async def _views(reader: Reader, rows: Iterable[Approval]) -> tuple[ApprovalView, ...]:
    views = []
    for each in rows:
        integration = await integrations.integration_by_client_id(reader, each.client_id)
        environment = await environments.environment_by_id(reader, each.environment_id)
        app = await apps.app_by_id(reader, environment.app_id) if environment is not None else None
        if integration is None or environment is None or app is None:
            continue
        decided_by = None
        if each.decided_by is not None:
            decided_by = await accounts.account_by_id(reader, each.decided_by)
        registered = await environments.scopes_of(reader, environment.id)
        views.append(
            ApprovalView(
                each,
                integration,
                app,
                environment,
                await accounts.account_by_id(reader, each.asked_by),
                decided_by,
                {scope.name: scope.display_name or scope.name for scope in registered},
            )
        )
    return tuple(views)


def _answered() -> Refused:
    return Refused(
        Reason.CONFLICT,
        "This request waits no more: another admin answered it, or it was withdrawn.",
        fix="List the queue again. To undo an approval, take the scopes back.",
    )


def _no_such_link() -> Refused:
    return Refused(
        Reason.NOT_FOUND,
        "There is no such link on this site.",
        fix="Check client id, app and environment; the site's integrations list their links.",
    )
