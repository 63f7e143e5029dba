"""What becomes of a presented code or refresh token: rules alone, with the time passed in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from sallyport.model.access import OFFLINE_ACCESS
from sallyport.model.redemption import (
    Action,
    CodeFacts,
    CodeOffer,
    RefreshFacts,
    RefreshOffer,
    Standing,
    Verdict,
)
from sallyport.model.target import Target
from sallyport.scopes.grammar import is_custom
from sallyport.vocab.clock import DAY, SECOND

INVALID_GRANT = "invalid_grant"
INVALID_SCOPE = "invalid_scope"
INVALID_TARGET = "invalid_target"
UNAUTHORIZED_CLIENT = "unauthorized_client"
INVALID_DPOP_PROOF = "invalid_dpop_proof"
UNKNOWN_CODE = "The authorization code is not known, or it is not this client's."
UNKNOWN_REFRESH = "The refresh token is not known, or it is not this client's."

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """Lifetimes in milliseconds, and the rules that use them.

    A pushed request is opened within `pushed_lifetime`, and answered within `question_lifetime`
    after that. `reuse_window` is how long the previous refresh token still gets the same successor,
    for clients that lost the answer or asked twice at once. A new signing key is published
    `key_lead` before it signs, twice as long as the key set may be cached.
    """

    code_lifetime: int = 60 * SECOND
    pushed_lifetime: int = 90 * SECOND
    question_lifetime: int = 900 * SECOND
    access_lifetime: int = 3600 * SECOND
    refresh_idle: int = 90 * DAY
    refresh_absolute: int = 365 * DAY
    reuse_window: int = 30 * SECOND
    key_lead: int = 600 * SECOND
    key_slack: int = 600 * SECOND

    def key_ends_at(self, successor_signs_from: int) -> int:
        """When a signing key leaves the key set: no token that it signed is valid any more."""
        return successor_signs_from + self.access_lifetime + self.key_slack

    def is_rotation_due(self, newest_signs_from: int, days: int, now: int) -> bool:
        """Whether the newest key has signed for `days`; never where that is 0."""
        return days > 0 and now - newest_signs_from >= days * DAY

    def family_expires_at(self, scopes: frozenset[str], now: int) -> int:
        """When the last token of a family ends."""
        offline = OFFLINE_ACCESS in scopes
        return now + (self.refresh_absolute if offline else self.access_lifetime)

    def refresh_expires_at(self, family_expires_at: int, now: int) -> int:
        """When a refresh token ends that nobody uses: sliding, within the family's bound."""
        return min(now + self.refresh_idle, family_expires_at)

    def access_expires_at(self, family_expires_at: int, now: int) -> int:
        """When an access token ends."""
        return min(now + self.access_lifetime, family_expires_at)

    def family_key(self, standing: Standing, jkt: str | None) -> str | None:
        """The key that the refresh tokens of a family are bound to from now on.

        That of a public client's first proof; a confidential client's are bound to its own
        authentication already (RFC 9449 section 5).
        """
        return jkt if standing.public else None

    def judge_code(self, code: CodeFacts, offer: CodeOffer, now: int) -> Verdict:
        """A code is for one client, once, within its lifetime, with its redirect URI and verifier.

        A wrong client, redirect URI, verifier or key leaves it as it was, so that who intercepts a
        code cannot spoil it; a code presented again ends what it gave (RFC 6749 section 10.5).
        """
        if offer.client_id != code.client_id:
            return _refuse(UNKNOWN_CODE)
        if code.consumed_at is not None:
            return Verdict(
                Action.END_FAMILY,
                error=INVALID_GRANT,
                why="The authorization code was used before; what it gave has been revoked.",
            )
        if now >= code.expires_at:
            return _refuse("The authorization code has expired; it lives for 60 seconds.")
        return (
            _other_redirect_uri(code, offer)
            or _wrong_verifier(code, offer)
            or _other_key(code.dpop_jkt, offer.jkt)
            or _nothing_behind(code.standing)
            or _no_proof(code.standing, offer.jkt)
            or _other_target(code.resource, offer.target, code.standing)
            or _issue(Action.ISSUE, code.scopes, code.standing)
        )

    def judge_refresh(self, token: RefreshFacts, offer: RefreshOffer, now: int) -> Verdict:
        """A refresh token has one successor (RFC 9700 section 4.14.2).

        Within the window the previous token gets that same successor again, as long as nobody has
        used it. Anything older is a sign of theft and ends the family. Who does not hold the key
        that the family is bound to changes nothing.
        """
        if offer.client_id != token.client_id:
            return _refuse(UNKNOWN_REFRESH)
        if token.family_revoked_at is not None:
            return _refuse("The refresh token was revoked.")
        other = _other_key(token.dpop_jkt, offer.jkt)
        if other is not None:
            return other
        action = Action.ISSUE
        if token.consumed_at is not None:
            action = Action.REPEAT
            if token.successor_used or now - token.consumed_at >= self.reuse_window:
                return Verdict(
                    Action.END_FAMILY,
                    error=INVALID_GRANT,
                    why="The refresh token was used before; all tokens of its family are revoked.",
                )
        elif now >= token.expires_at or now >= token.family_expires_at:
            return _refuse("The refresh token has expired.")
        return (
            _nothing_behind(token.standing)
            or _no_proof(token.standing, offer.jkt)
            or _wider(token, offer)
            or _other_target(token.resource, offer.target, token.standing)
            or _issue(action, _asked(token, offer), token.standing)
        )

    def judge_service(
        self,
        standing: Standing,
        asked: frozenset[str] | None,
        jkt: str | None = None,
        target: Target | None = None,
    ) -> Verdict:
        """A service account gets what it asks for of what it was allowed, or all of that.

        No refresh token comes with it (RFC 6749 section 4.4.3), so `offline_access` is beyond it.
        """
        dead = _nothing_behind(standing)
        if dead is not None:
            return Verdict(Action.REFUSE, error=UNAUTHORIZED_CLIENT, why=dead.why)
        unproven = _no_proof(standing, jkt)
        if unproven is not None:
            return unproven
        elsewhere = _other_target(None, target, standing)
        if elsewhere is not None:
            return elsewhere
        allowed = standing.allowed() - {OFFLINE_ACCESS}
        beyond = (asked or frozenset()) - allowed
        if beyond:
            names = ", ".join(sorted(beyond))
            return Verdict(
                Action.REFUSE,
                error=INVALID_SCOPE,
                why=f"The service account was not allowed {names}.",
            )
        scopes = allowed if asked is None else asked
        if not any(is_custom(scope) for scope in scopes):
            return Verdict(
                Action.REFUSE,
                error=INVALID_SCOPE,
                why="No custom scope of the app is among these; the token would open nothing.",
            )
        return Verdict(Action.ISSUE, scopes=scopes)


def is_challenge(text: str) -> bool:
    """Whether `text` can be an S256 code challenge (RFC 7636 section 4.2)."""
    return _CHALLENGE.fullmatch(text) is not None


def _other_redirect_uri(code: CodeFacts, offer: CodeOffer) -> Verdict | None:
    """RFC 6749 section 4.1.3: the same as in the authorization request, if it was there."""
    if offer.redirect_uri is None and not code.redirect_uri_sent:
        return None
    if offer.redirect_uri == code.redirect_uri:
        return None
    return _refuse(
        "redirect_uri is missing or is not the one that the authorization request was made with."
    )


def _wrong_verifier(code: CodeFacts, offer: CodeOffer) -> Verdict | None:
    """RFC 7636 section 4.6; and no verifier where no challenge was (RFC 9700 section 4.8.2)."""
    if code.code_challenge is None:
        if offer.code_verifier is None:
            return None
        return _refuse("code_verifier came, but the authorization request had no code_challenge.")
    if offer.code_verifier is None:
        return _refuse("code_verifier is missing; the authorization request had a code_challenge.")
    if _VERIFIER.fullmatch(offer.code_verifier) is not None:
        digest = hashlib.sha256(offer.code_verifier.encode()).digest()
        computed = base64.urlsafe_b64encode(digest).rstrip(b"=")
        if hmac.compare_digest(computed, code.code_challenge.encode()):
            return None
    return _refuse("code_verifier does not fit the code_challenge of the authorization request.")


def _other_key(bound_to: str | None, jkt: str | None) -> Verdict | None:
    """RFC 9449 sections 5 and 10: what is bound to a key is for who proves to hold it."""
    if bound_to is None or bound_to == jkt:
        return None
    if jkt is None:
        return _refuse("This is bound to a key; send a DPoP proof made with that key.")
    return _refuse("This is bound to another key than the DPoP proof was made with.")


def _no_proof(standing: Standing, jkt: str | None) -> Verdict | None:
    """RFC 9449 section 5.2: some clients get tokens that are bound to a key, and no others."""
    if jkt is not None or not standing.require_dpop:
        return None
    return Verdict(
        Action.REFUSE,
        error=INVALID_DPOP_PROOF,
        why="The integration gets no bearer tokens; send a DPoP proof with the request.",
    )


def _other_target(
    bound_to: str | None, target: Target | None, standing: Standing
) -> Verdict | None:
    """RFC 8707 section 2.2: a token is for what was consented to, or for less."""
    grant = standing.grant
    if target is None:
        return None
    if bound_to is None and target.site_id in (None, grant.site_id):
        if target.namespace in (None, grant.namespace):
            return None
    elif bound_to == target.resource:
        return None
    return Verdict(
        Action.REFUSE,
        error=INVALID_TARGET,
        why="resource is not what the consent was given for.",
    )


def _nothing_behind(standing: Standing) -> Verdict | None:
    """Tokens are issued only while consent, integration, link and membership live."""
    if standing.grant.revoked_at is not None:
        return _refuse("The consent behind this was ended.")
    if not standing.integration_alive:
        return _refuse("The integration was revoked.")
    if not standing.member:
        return _refuse("The account is no longer an active member of the site.")
    if standing.link is None:
        return _refuse("The integration is no longer linked to the app on this site.")
    return None


def _wider(token: RefreshFacts, offer: RefreshOffer) -> Verdict | None:
    """A refresh asks for what there was, or less (RFC 6749 section 6)."""
    beyond = (offer.scopes or frozenset()) - token.scopes
    if not beyond:
        return None
    names = ", ".join(sorted(beyond))
    return Verdict(
        Action.REFUSE,
        error=INVALID_SCOPE,
        why=f"The refresh token was not issued for {names}.",
    )


def _asked(token: RefreshFacts, offer: RefreshOffer) -> frozenset[str]:
    return token.scopes if offer.scopes is None else offer.scopes


def _issue(action: Action, scopes: frozenset[str], standing: Standing) -> Verdict:
    """Never more than is consented to and allowed now; nothing at all without a custom scope."""
    issued = scopes & standing.allowed()
    if not any(is_custom(scope) for scope in issued):
        return _refuse("None of the app's scopes in this is still allowed to the integration.")
    return Verdict(action, scopes=issued)


def _refuse(why: str) -> Verdict:
    return Verdict(Action.REFUSE, error=INVALID_GRANT, why=why)
