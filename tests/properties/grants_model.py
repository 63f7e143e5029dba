"""What authorization promises, as a small pure model: no database, no HTTP, no clock of its own.

It holds who is what, what was consented to, codes, families and their chains of refresh tokens, and
answers for each act what must come of it. Written from RFC 6749, RFC 9700 and docs/reference/
oauth.md, not from the code. Times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

CODE_S, ACCESS_S, WINDOW_S = 60, 3600, 30


@dataclass
class Grant:
    """A consent of the one account, to a client on a site."""

    client: str
    site: str
    scopes: set[str]
    live: bool = True


@dataclass
class Refresh:
    """One refresh token; `text` is what the server gave."""

    text: str
    consumed_at: int | None = None
    successor: Refresh | None = None


@dataclass
class Family:
    """Tokens of one code. `chain` is oldest first; `access` texts with their ends and scopes."""

    grant: Grant
    scopes: frozenset[str]
    live: bool = True
    chain: list[Refresh] = field(default_factory=list)
    access: list[tuple[str, int, frozenset[str]]] = field(default_factory=list)


@dataclass
class Code:
    text: str
    grant: Grant
    scopes: frozenset[str]
    expires_at: int
    family: Family | None = None


@dataclass
class Model:
    """The world: one account, some clients and sites, one app; `now` moves by `pass_time`."""

    sites: tuple[str, ...]
    clients: tuple[str, ...]
    every: frozenset[str]
    now: int = 0
    active: bool = True
    members: set[str] = field(default_factory=set)
    switched_on: set[str] = field(default_factory=set)
    alive: set[str] = field(default_factory=set)
    links: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    secrets: dict[str, list[str]] = field(default_factory=dict)
    grants: list[Grant] = field(default_factory=list)
    codes: list[Code] = field(default_factory=list)
    families: list[Family] = field(default_factory=list)
    issued: int = 0
    """Successful answers of the token endpoint."""

    # ---- what stands behind

    def link(self, client: str, site: str) -> set[str] | None:
        return self.links.get((client, site))

    def is_member(self, site: str) -> bool:
        return self.active and site in self.members

    def stands(self, grant: Grant) -> bool:
        """Whether anything may be issued for a consent now."""
        return (
            grant.live
            and grant.client in self.alive
            and self.is_member(grant.site)
            and self.link(grant.client, grant.site) is not None
        )

    def allowed(self, grant: Grant) -> set[str]:
        """Consented to, and still the link's; what asks for offline access is no link's."""
        linked = self.link(grant.client, grant.site) or set()
        return grant.scopes & (linked | {"offline_access"})

    def may_issue(self, grant: Grant, scopes: frozenset[str]) -> frozenset[str] | None:
        """What a token gets of these scopes; None: nothing, since no scope of the app is left."""
        left = scopes & self.allowed(grant)
        custom = {each for each in left if each.endswith(":custom")}
        return left if self.stands(grant) and custom else None

    def signs_in(self, client: str, secret: str) -> bool:
        return client in self.alive and secret in self.secrets[client]

    # ---- acts

    def may_consent(self, client: str, site: str, scopes: frozenset[str]) -> bool:
        linked = self.link(client, site)
        return (
            client in self.alive
            and self.is_member(site)
            and linked is not None
            and scopes <= linked | {"offline_access"}
        )

    def consent(self, text: str, client: str, site: str, scopes: frozenset[str]) -> None:
        """Consents add up on the one live grant of client and site."""
        for grant in self.grants:
            if grant.live and (grant.client, grant.site) == (client, site):
                grant.scopes |= scopes
                break
        else:
            grant = Grant(client, site, set(scopes))
            self.grants.append(grant)
        self.codes.append(Code(text, grant, scopes, self.now + CODE_S))

    def exchange(self, code: Code, client: str) -> frozenset[str] | None:
        """The scopes that one presentation gets, or None; a second one ends what the first got."""
        if client != code.grant.client:
            return None
        if code.family is not None:
            code.family.live = False
            return None
        if self.now >= code.expires_at:
            return None
        scopes = self.may_issue(code.grant, code.scopes)
        if scopes is None:
            return None
        # What the link or the consent lacks at this moment is not the family's later either.
        code.family = Family(code.grant, scopes)
        self.families.append(code.family)
        self.issued += 1
        return scopes

    def refresh(
        self, family: Family, token: Refresh, client: str
    ) -> tuple[frozenset[str], Refresh | None] | None:
        """Scopes and the successor that is given again, None where it is new; or None."""
        if client != family.grant.client or not family.live:
            return None
        used = token.successor is not None and token.successor.consumed_at is not None
        if token.consumed_at is not None and (used or self.now - token.consumed_at >= WINDOW_S):
            family.live = False
            return None
        scopes = self.may_issue(family.grant, family.scopes)
        if scopes is None:
            return None
        self.issued += 1
        return scopes, token.successor

    def rotated(self, family: Family, token: Refresh, text: str) -> None:
        """A new successor was given."""
        token.consumed_at = self.now
        token.successor = Refresh(text)
        family.chain.append(token.successor)

    def end_grant(self, grant: Grant) -> None:
        grant.live = False

    def end_client(self, client: str) -> None:
        self.alive.discard(client)
        for grant in self.grants:
            if grant.client == client:
                grant.live = False

    # ---- calls

    def opens(self, family: Family, access: tuple[str, int, frozenset[str]], at: str) -> set[str]:
        """What an access token may do on a site now: scopes; nothing where it may not call."""
        _, expires_at, scopes = access
        grant = family.grant
        if self.now >= expires_at or at != grant.site or at not in self.switched_on:
            return set()
        if not family.live or not self.stands(grant):
            return set()
        return set(scopes) & self.allowed(grant)
