"""What is known of a code or refresh token when it is presented, and what is to be done about it.

The store brings facts and carries out verdicts inside one transaction; `tokens.policy` decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sallyport.model.access import OFFLINE_ACCESS, Grant, IntegrationLink
from sallyport.model.target import Target


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands behind a grant now. `link` is None where the integration is not linked there.

    `public`: the client cannot authenticate. `require_dpop`: it gets no bearer tokens.
    """

    grant: Grant
    integration_alive: bool
    link: IntegrationLink | None
    member: bool
    public: bool = False
    require_dpop: bool = False

    def allowed(self) -> frozenset[str]:
        """The scopes that may be issued now: consented to, and still the integration's to ask."""
        if self.link is None:
            return frozenset()
        return self.grant.scopes & (self.link.scopes | self.link.product_scopes | {OFFLINE_ACCESS})


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """An authorization code as stored. `scopes` are what was consented to with this code.

    `dpop_jkt`: the key that it is bound to, if any (RFC 9449 section 10). `resource`: the one API
    that its tokens are for, if it was asked for one.
    """

    client_id: str
    scopes: frozenset[str]
    redirect_uri: str
    redirect_uri_sent: bool
    code_challenge: str | None
    expires_at: int
    consumed_at: int | None
    standing: Standing
    dpop_jkt: str | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class CodeOffer:
    """What an authenticated client presents with a code. `jkt`: the key that it proved to hold.

    `target`: what the token is to be for (RFC 8707).
    """

    client_id: str
    redirect_uri: str | None
    code_verifier: str | None
    jkt: str | None = None
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class RefreshFacts:
    """A refresh token as stored. `scopes` are its family's.

    `successor_used`: whether the token that took its place has been used in turn. `dpop_jkt`: the
    key that the family is bound to, if any; `resource`: the one API that it is for, if any.
    """

    client_id: str
    scopes: frozenset[str]
    expires_at: int
    consumed_at: int | None
    successor_used: bool
    family_revoked_at: int | None
    family_expires_at: int
    standing: Standing
    dpop_jkt: str | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class RefreshOffer:
    """What an authenticated client presents with a refresh token. `scopes` None: as before.

    `jkt`: the key that it proved to hold; `target`: what the token is to be for.
    """

    client_id: str
    scopes: frozenset[str] | None
    jkt: str | None = None
    target: Target | None = None


class Action(Enum):
    """What the store does about a presented code or token."""

    ISSUE = "consume it and issue"
    REPEAT = "issue once more with the same successor"
    END_FAMILY = "end the family, and refuse"
    REFUSE = "refuse, and change nothing"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`scopes` are what to issue; `error` (RFC 6749 section 5.2) and `why` tell a refusal."""

    action: Action
    scopes: frozenset[str] = frozenset()
    error: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Issue:
    """What was issued, durably. `sealed` is the successor as stored where it was issued before.

    `resource` is what the access token is for; None: this platform and whatever the grant opens.
    """

    grant: Grant
    family_id: str
    family_expires_at: int
    scopes: frozenset[str]
    refreshable: bool
    sealed: bytes | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class Denial:
    """A code or token that was not honoured, in the words of RFC 6749 section 5.2."""

    error: str
    why: str
