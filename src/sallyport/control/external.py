"""Sign-in at the operator's identity provider: out with the browser, back with a code.

What must come back is in a sealed cookie of the browser that went, so that no sign-in ends in a
browser in which it did not begin, and is good once. An account is found by issuer and subject
alone: an email, even a verified one, never leads into an account that exists already.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sallyport.control.names import clean_email, clean_name
from sallyport.control.provider import Provider, ProviderFailed
from sallyport.control.services import Services
from sallyport.control.signin import actor_for
from sallyport.model.claims import Admitted, NotAdmitted, admit
from sallyport.model.directory import Account, Actor, SessionOrigin, SiteRole
from sallyport.store import accounts, directory, external
from sallyport.store.engine import Tx
from sallyport.store.proofs import use_proof
from sallyport.store.seal import Unsealable
from sallyport.tokens import sessions
from sallyport.tokens.id_token import subject_of
from sallyport.vocab.clock import MINUTE
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.events import Event
from sallyport.vocab.ids import digest

CALLBACK = "/login/provider/callback"
METHOD = "oidc"
LIFE = 10 * MINUTE
LONGEST_RETURN = 1000
LONGEST_PARAMETER = 4000

_PURPOSE = "sign-in at the identity provider"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and the cookie that it takes along."""

    address: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """The new session's cookie, and the path to go on to."""

    session: str
    return_to: str


@dataclass(frozen=True, slots=True)
class _Pending:
    state: str
    nonce: str
    verifier: str
    return_to: str
    link: str | None
    expires_at: int


async def depart(
    services: Services,
    return_to: str,
    address: str | None,
    *,
    link: Account | None = None,
    anew: bool = False,
) -> Departure:
    """Send a browser to the provider. With `link`, whoever it is there gets to sign in as that
    account, which is signed in in this browser. Raises `Refused`.
    """
    provider = require_provider(services)
    services.attempts.spend_by_address(address)
    pending = _Pending(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        return_to=return_to if len(return_to) <= LONGEST_RETURN else "/",
        link=None if link is None else link.id,
        expires_at=services.store.clock.now() + LIFE,
    )
    challenge = base64.urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest())
    try:
        target = await provider.authorization_url(
            services.public_url + CALLBACK,
            pending.state,
            pending.nonce,
            challenge.rstrip(b"=").decode(),
            anew=anew,
        )
    except ProviderFailed as failed:
        raise _failed(failed) from None
    return Departure(target, _sealed(services, pending))


async def arrive(
    services: Services,
    cookie: str | None,
    parameters: Mapping[str, str],
    address: str | None,
    *,
    signed_in: Account | None,
    replaces: str | None,
    agent: str | None,
) -> Arrival:
    """Take what the provider sent the browser back with. Raises `Refused`.

    `signed_in` and `replaces` are the account and the session that the browser has now.
    """
    provider = require_provider(services)
    pending = _opened(services, cookie)
    if pending is None or not hmac.compare_digest(
        pending.state.encode(), parameters.get("state", "").encode("utf-8", "surrogatepass")
    ):
        raise _broken("It did not begin in this browser, or another one began after it.")
    now = services.store.clock.now()
    fresh = now < pending.expires_at and await services.store.write(
        use_proof, digest(pending.state), pending.expires_at
    )
    if not fresh:
        raise _broken("It took longer than ten minutes, or was finished before.")
    if pending.link is not None and (signed_in is None or signed_in.id != pending.link):
        raise _broken("Somebody else is signed in in this browser now.")
    if "code" not in parameters or "error" in parameters:
        _log.warning("the identity provider refused a sign-in: %r", parameters.get("error"))
        raise Refused(
            Reason.SIGN_IN_REFUSED,
            "The identity provider did not sign you in.",
            fix="Try again; ask the operator if it goes on.",
        )
    try:
        await provider.require_issuer(parameters.get("iss"))
        claims = await provider.claims_for(
            parameters["code"], pending.verifier, services.public_url + CALLBACK, pending.nonce, now
        )
    except ProviderFailed as failed:
        raise _failed(failed) from None
    origin = SessionOrigin(address, agent, METHOD)
    verdict = admit(provider.config.mapping, claims)
    who = _Who(provider.config.issuer, subject_of(claims), pending.link)
    if isinstance(verdict, NotAdmitted):
        await services.store.write(_turn_away, who, address, verdict.why)
        _log.warning("a sign-in by the identity provider was refused: %s", verdict.why)
        raise Refused(
            Reason.SIGN_IN_REFUSED,
            "The identity provider knows you, but this platform does not let you in.",
            fix="Ask the operator of this platform.",
        )
    session = await services.store.write(_enter, who, verdict, origin, replaces)
    services.attempts.give_back_by_address(address)
    return Arrival(session, pending.return_to)


def require_provider(services: Services) -> Provider:
    """The identity provider. Raises `Refused` where the operator has set none."""
    if services.provider is None:
        raise Refused(Reason.NOT_FOUND, "This platform has no identity provider to sign in with.")
    return services.provider


# ---- in the transaction


@dataclass(frozen=True, slots=True)
class _Who:
    issuer: str
    subject: str
    link: str | None


async def _turn_away(tx: Tx, who: _Who, address: str | None, why: str) -> None:
    """Take from whoever is refused what earlier claims gave."""
    account = await external.account_of_identity(tx, who.issuer, who.subject)
    actor = Actor(None, "unknown", address=address)
    if account is not None:
        await _give(tx, actor, account.id, who.issuer, {})
    tx.audit(
        Event.SIGN_IN_REFUSED, actor, subject=None if account is None else account.id, why=why[:300]
    )


async def _enter(
    tx: Tx, who: _Who, admitted: Admitted, origin: SessionOrigin, replaces: str | None
) -> str:
    account = await external.account_of_identity(tx, who.issuer, who.subject)
    if who.link is not None:
        account = await _linked(tx, who, who.link, account, origin.address)
    elif account is None:
        account = await _added(tx, who, admitted, origin.address)
    if not account.active:
        raise Refused(
            Reason.SIGN_IN_REFUSED,
            "Your account here is not active.",
            fix="Ask the operator of this platform.",
        )
    actor = actor_for(account, origin.address)
    await _give(tx, actor, account.id, who.issuer, admitted.roles)
    tx.audit(Event.SIGNED_IN, actor, subject=account.id, method=METHOD)
    return await sessions.start(tx, account.id, replaces=replaces, origin=origin)


async def _linked(
    tx: Tx, who: _Who, link: str, account: Account | None, address: str | None
) -> Account:
    """The account that the person, who is signed in as it, has chosen to be."""
    chosen = await accounts.person_by_id(tx, link)
    if chosen is None or (account is not None and account.id != chosen.id):
        raise Refused(
            Reason.CONFLICT,
            "At the identity provider you are somebody who has another account here.",
            fix="Sign out there and sign in as yourself, or use the other account.",
        )
    if account is None:
        await external.add_identity(tx, who.issuer, who.subject, chosen.id)
        actor = actor_for(chosen, address)
        tx.audit(Event.IDENTITY_LINKED, actor, subject=chosen.id, issuer=who.issuer)
    return chosen


async def _added(tx: Tx, who: _Who, admitted: Admitted, address: str | None) -> Account:
    """A new account for somebody who has none."""
    if admitted.email is None:
        raise Refused(
            Reason.SIGN_IN_REFUSED,
            "The identity provider does not say that your email address is verified.",
            fix="Have it verified there, then sign in again.",
        )
    email = clean_email(admitted.email)
    try:
        name = clean_name(admitted.name or email, "name")
    except Refused:
        name = email
    account = await accounts.add_account(tx, email, name, None, operator=False)
    if account is None:
        raise Refused(
            Reason.SIGN_IN_REFUSED,
            "There is an account with your email address already, and it is not linked to you.",
            fix="Sign in to it with its password and link it on the page Sessions of your account, "
            "or ask the operator.",
        )
    await external.add_identity(tx, who.issuer, who.subject, account.id)
    tx.audit(
        Event.ACCOUNT_CREATED, actor_for(account, address), subject=account.id, issuer=who.issuer
    )
    return account


async def _give(
    tx: Tx, actor: Actor, account_id: str, issuer: str, roles: Mapping[str, SiteRole]
) -> None:
    """Have the account belong where the claims say, and nowhere that they said before.

    What a person gave by hand stays as it is.
    """
    wanted: dict[str, SiteRole] = {}
    for host, role in roles.items():
        site = await directory.site_by_host(tx, host)
        if site is None:
            _log.warning("the claims mapping names a site that there is not: %s", host)
        else:
            wanted[site.id] = role
    held = await directory.memberships_of(tx, account_id)
    for site_id, given in held.items():
        if given.by == issuer and site_id not in wanted:
            await directory.end_membership(tx, account_id, site_id)
            tx.audit(
                Event.MEMBERSHIP_ENDED, actor, site_id=site_id, subject=account_id, issuer=issuer
            )
    for site_id, role in wanted.items():
        now = held.get(site_id)
        if now is None or (now.by == issuer and now.role is not role):
            await directory.set_membership(tx, account_id, site_id, role, given_by=issuer)
            tx.audit(
                Event.MEMBERSHIP_SET,
                actor,
                site_id=site_id,
                subject=account_id,
                role=role.value,
                issuer=issuer,
            )


# ---- what the browser takes along


def _sealed(services: Services, pending: _Pending) -> str:
    members = [
        pending.state,
        pending.nonce,
        pending.verifier,
        pending.return_to,
        pending.link,
        pending.expires_at,
    ]
    sealed = services.store.sealer.seal(json.dumps(members).encode(), _PURPOSE)
    return base64.urlsafe_b64encode(sealed).decode()


def _opened(services: Services, cookie: str | None) -> _Pending | None:
    try:
        sealed = base64.urlsafe_b64decode((cookie or "").encode("ascii"))
        return _Pending(*json.loads(services.store.sealer.open(sealed, _PURPOSE)))
    except (Unsealable, binascii.Error, ValueError):
        return None


def _broken(detail: str) -> Refused:
    return Refused(Reason.SIGN_IN_BROKEN, detail, fix="Begin again on the sign-in page.")


def _failed(failed: ProviderFailed) -> Refused:
    _log.warning("the identity provider failed: %s", failed)
    return Refused(
        Reason.IDENTITY_PROVIDER_FAILED,
        "The identity provider cannot be used now.",
        fix="Try again later; the operator finds the cause in the log.",
        operator=str(failed),
    )
