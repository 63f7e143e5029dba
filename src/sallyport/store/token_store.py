"""Codes and refresh tokens: one atomic verb for each way of presenting one.

Each verb reads the facts under a lock, has the rules decide, and carries the verdict out, all in
one transaction with its audit row. So of any number of presenters at once one consumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import bindparam, select, update

from sallyport.model.access import OFFLINE_ACCESS, Grant
from sallyport.model.directory import Actor
from sallyport.model.redemption import (
    Action,
    CodeFacts,
    CodeOffer,
    Denial,
    Issue,
    RefreshFacts,
    RefreshOffer,
    Standing,
    Verdict,
)
from sallyport.store import schema
from sallyport.store.engine import Reader, Tx
from sallyport.store.grants import (
    FAMILY_COLUMNS,
    add_family,
    end_family,
    family_by_id,
    family_of,
    grant_by_id,
)
from sallyport.store.lists import read_names
from sallyport.store.prepared import Prepared, prepared_insert
from sallyport.store.standing import standing_of
from sallyport.vocab.events import Event

_code = schema.authorization_code.c
_token = schema.refresh_token.c
_family = schema.token_family.c

# A refresh token with its family, both held.
_TOKEN = Prepared(
    select(
        _token.expires_at,
        _token.consumed_at,
        _token.successor,
        _token.successor_sealed,
        *FAMILY_COLUMNS,
    )
    .join_from(schema.refresh_token, schema.token_family, _family.id == _token.family_id)
    .where(_token.digest == bindparam("digest"))
    .with_for_update(of=[schema.refresh_token, schema.token_family])
)
_CONSUMED = Prepared(select(_token.consumed_at).where(_token.digest == bindparam("digest")))
_CONSUME_TOKEN = Prepared(
    update(schema.refresh_token)
    .where(_token.digest == bindparam("presented"), _token.consumed_at.is_(None))
    .values(
        consumed_at=bindparam("at"),
        successor=bindparam("by"),
        successor_sealed=bindparam("sealed"),
    )
)
_ADD_TOKEN = prepared_insert(
    schema.refresh_token, ("digest", "family_id", "created_at", "expires_at")
)


class TokenRules(Protocol):
    """What the verbs ask; `tokens.policy` answers. Pure: the same facts, the same verdict."""

    def judge_code(self, code: CodeFacts, offer: CodeOffer, now: int) -> Verdict: ...

    def judge_refresh(self, token: RefreshFacts, offer: RefreshOffer, now: int) -> Verdict: ...

    def family_key(self, standing: Standing, jkt: str | None) -> str | None: ...

    def family_expires_at(self, scopes: frozenset[str], now: int) -> int: ...

    def refresh_expires_at(self, family_expires_at: int, now: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Successor:
    """A refresh token to be stored: its digest, and itself sealed for who holds the one before."""

    digest: str
    sealed: bytes


async def redeem_code(
    tx: Tx,
    rules: TokenRules,
    digest: str,
    offer: CodeOffer,
    family_id: str,
    refresh_digest: str,
    address: str | None,
) -> Issue | Denial | None:
    """Consume a code and make its family, with a first refresh token for `offline_access`.

    One code gives at most one family, whoever presents it and however often at once. None where
    there is no such code.
    """
    row = await tx.first(
        select(schema.authorization_code).where(_code.digest == digest).with_for_update()
    )
    standing = await standing_of(tx, row.grant_id) if row is not None else None
    if row is None or standing is None:
        return None
    code = CodeFacts(
        client_id=row.client_id,
        scopes=read_names(row.scopes),
        redirect_uri=row.redirect_uri,
        redirect_uri_sent=row.redirect_uri_sent,
        code_challenge=row.code_challenge,
        expires_at=row.expires_at,
        consumed_at=row.consumed_at,
        standing=standing,
        dpop_jkt=row.dpop_jkt,
        resource=row.resource,
    )
    verdict = rules.judge_code(code, offer, tx.now)
    actor = _holder(standing.grant.account_id, address)
    if verdict.action is Action.END_FAMILY:
        why = "A code was presented again after it had been exchanged"
        await end_family(tx, actor, row.family_id, Event.CODE_REPLAYED, why)
    if verdict.action is not Action.ISSUE:
        return Denial(verdict.error, verdict.why)

    consumed = await tx.run(
        update(schema.authorization_code)
        .where(_code.digest == digest, _code.consumed_at.is_(None))
        .values(consumed_at=tx.now, family_id=family_id)
    )
    if consumed.rowcount != 1:
        return None
    expires_at = rules.family_expires_at(code.scopes, tx.now)
    add_family(
        tx,
        family_id,
        row.grant_id,
        code.scopes,
        expires_at,
        dpop_jkt=rules.family_key(standing, offer.jkt),
        resource=row.resource,
    )
    issue = Issue(
        grant=standing.grant,
        family_id=family_id,
        family_expires_at=expires_at,
        scopes=verdict.scopes,
        refreshable=OFFLINE_ACCESS in verdict.scopes,
        resource=row.resource if offer.target is None else offer.target.resource,
    )
    if issue.refreshable:
        _add_refresh(tx, rules, refresh_digest, issue)
    _audit(tx, Event.TOKEN_ISSUED, actor, issue)
    return issue


async def rotate_refresh(
    tx: Tx,
    rules: TokenRules,
    digest: str,
    offer: RefreshOffer,
    successor: Successor,
    address: str | None,
) -> Issue | Denial | None:
    """Put `successor` in the place of a refresh token; or hand out the one that took it before.

    `Issue.sealed` is that earlier successor; None where the one given was stored. The answer is
    None where there is no such token.
    """
    row = await tx.one(_TOKEN, digest=digest)
    if row is None:
        return None
    expires_at, consumed_at, successor_digest, sealed = row[:4]
    family = family_of(row[4:])
    standing = await standing_of(tx, family.grant_id)
    if standing is None:
        return None
    token = RefreshFacts(
        client_id=standing.grant.client_id,
        scopes=family.scopes,
        expires_at=expires_at,
        consumed_at=consumed_at,
        successor_used=await _is_consumed(tx, successor_digest),
        family_revoked_at=family.revoked_at,
        family_expires_at=family.expires_at,
        standing=standing,
        dpop_jkt=family.dpop_jkt,
        resource=family.resource,
    )
    verdict = rules.judge_refresh(token, offer, tx.now)
    actor = _holder(standing.grant.account_id, address)
    if verdict.action is Action.END_FAMILY:
        why = "A refresh token was presented again after its successor was in use"
        await end_family(tx, actor, family.id, Event.TOKEN_REUSE_DETECTED, why)
    if verdict.action in (Action.END_FAMILY, Action.REFUSE):
        return Denial(verdict.error, verdict.why)

    repeated = verdict.action is Action.REPEAT
    issue = Issue(
        grant=standing.grant,
        family_id=family.id,
        family_expires_at=family.expires_at,
        scopes=verdict.scopes,
        refreshable=True,
        sealed=sealed if repeated else None,
        resource=family.resource if offer.target is None else offer.target.resource,
    )
    if not repeated:
        consumed = await tx.do(
            _CONSUME_TOKEN,
            presented=digest,
            at=tx.now,
            by=successor.digest,
            sealed=successor.sealed,
        )
        if consumed != 1:
            return None
        _add_refresh(tx, rules, successor.digest, issue)
    key = rules.family_key(standing, offer.jkt)
    if family.dpop_jkt is None and key is not None:
        await tx.run(
            update(schema.token_family).where(_family.id == family.id).values(dpop_jkt=key)
        )
    _audit(tx, Event.TOKEN_REFRESHED, actor, issue, repeated=repeated)
    return issue


@dataclass(frozen=True, slots=True)
class LiveRefresh:
    """A refresh token that nobody has used. `expires_at` is its own or its family's end."""

    family_id: str
    grant: Grant
    scopes: frozenset[str]
    expires_at: int


async def live_refresh(reader: Reader, digest: str) -> LiveRefresh | None:
    """An unused refresh token; None where it is unknown or has a successor."""
    row = await reader.first(
        select(_token.family_id, _token.expires_at).where(
            _token.digest == digest, _token.consumed_at.is_(None)
        )
    )
    family = await family_by_id(reader, row.family_id) if row is not None else None
    grant = await grant_by_id(reader, family.grant_id) if family is not None else None
    if row is None or family is None or grant is None:
        return None
    return LiveRefresh(family.id, grant, family.scopes, min(row.expires_at, family.expires_at))


async def family_of_refresh(reader: Reader, digest: str) -> tuple[str, str] | None:
    """The family and the client of a refresh token, used or not; None where it is unknown."""
    row = await reader.first(
        select(_token.family_id, schema.grant.c.client_id)
        .join(schema.token_family, _family.id == _token.family_id)
        .join(schema.grant, schema.grant.c.id == _family.grant_id)
        .where(_token.digest == digest)
    )
    return None if row is None else (row.family_id, row.client_id)


async def _is_consumed(tx: Tx, digest: str | None) -> bool:
    if digest is None:
        return False
    row = await tx.one(_CONSUMED, digest=digest)
    return row is not None and row[0] is not None


def _add_refresh(tx: Tx, rules: TokenRules, digest: str, issue: Issue) -> None:
    tx.add(
        _ADD_TOKEN,
        digest=digest,
        family_id=issue.family_id,
        created_at=tx.now,
        expires_at=rules.refresh_expires_at(issue.family_expires_at, tx.now),
    )


def _holder(account_id: str, address: str | None) -> Actor:
    """The account whose consent is used; a client acts for it, from this address."""
    return Actor(account_id=account_id, name="", address=address)


def _audit(tx: Tx, event: Event, actor: Actor, issue: Issue, **detail: bool) -> None:
    tx.audit(
        event,
        actor,
        site_id=issue.grant.site_id,
        app_id=issue.grant.app_id,
        subject=issue.family_id,
        client_id=issue.grant.client_id,
        grant_id=issue.grant.id,
        scopes=sorted(issue.scopes),
        **detail,
    )
