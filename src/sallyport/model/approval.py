"""Approval: which scopes of a link an admin of the site has to answer first, and how it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from sallyport.model.access import IntegrationLink


class ApprovalState(StrEnum):
    """How a row of the queue stands."""

    PENDING = "pending"
    ANSWERED = "answered"
    TAKEN_BACK = "taken_back"
    """Not a request: an admin took these scopes away from a link."""


class ScopeState(StrEnum):
    """How one scope stands with the site's admins."""

    AWAITED = "awaited"
    APPROVED = "approved"
    REFUSED = "refused"
    TAKEN_BACK = "taken_back"


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for scopes of an app on a site, and its answer.

    Times are milliseconds since the epoch. `approved` is empty until it is answered; what was asked
    and is not in it was refused then.
    """

    id: str
    client_id: str
    site_id: str
    environment_id: str
    scopes: frozenset[str]
    product_scopes: frozenset[str]
    optional: frozenset[str]
    note: str
    asked_by: str
    asked_at: int
    state: ApprovalState
    approved: frozenset[str]
    reason: str
    decided_by: str | None
    decided_at: int | None

    @property
    def asked(self) -> frozenset[str]:
        """Every scope that it is about."""
        return self.scopes | self.product_scopes

    def state_of(self, scope: str) -> ScopeState:
        """How it leaves a scope that it is about."""
        if self.state is ApprovalState.PENDING:
            return ScopeState.AWAITED
        if self.state is ApprovalState.TAKEN_BACK:
            return ScopeState.TAKEN_BACK
        return ScopeState.APPROVED if scope in self.approved else ScopeState.REFUSED


@dataclass(frozen=True, slots=True)
class ScopeStanding:
    """One scope of a link: how it stands, since when, and the admin's words about it."""

    scope: str
    state: ScopeState
    reason: str
    at: int


def narrowed(link: IntegrationLink, scopes: frozenset[str]) -> IntegrationLink:
    """The link with no other scopes than these."""
    return replace(
        link,
        scopes=link.scopes & scopes,
        product_scopes=link.product_scopes & scopes,
        optional=link.optional & scopes,
    )


def widened(link: IntegrationLink, approval: Approval, scopes: frozenset[str]) -> IntegrationLink:
    """The link with those of the request's scopes that are in `scopes`; never with others."""
    return replace(
        link,
        scopes=link.scopes | (approval.scopes & scopes),
        product_scopes=link.product_scopes | (approval.product_scopes & scopes),
        optional=link.optional | (approval.optional & approval.asked & scopes),
    )


def admitted(wanted: IntegrationLink, held: IntegrationLink | None) -> IntegrationLink:
    """What a link holds at once where approval is required: what it held already, no more."""
    before = frozenset[str]() if held is None else held.scopes | held.product_scopes
    return narrowed(wanted, before)


def standings(link: IntegrationLink, history: Iterable[Approval]) -> tuple[ScopeStanding, ...]:
    """How each scope stands that was ever asked for, by name; `history` is oldest first.

    What the link holds counts: an old refusal of a scope that it holds is not told, nor an old
    approval of one that it holds no more.
    """
    newest: dict[str, ScopeStanding] = {}
    for each in history:
        at = each.asked_at if each.decided_at is None else each.decided_at
        for scope in each.asked:
            newest[scope] = ScopeStanding(scope, each.state_of(scope), each.reason, at)
    held = link.scopes | link.product_scopes
    return tuple(
        newest[scope]
        for scope in sorted(newest)
        if (newest[scope].state is ScopeState.APPROVED) == (scope in held)
    )
