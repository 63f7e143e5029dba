"""`/oauth/token`: codes and refresh tokens are exchanged, in one ordered list of steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sallyport.model.redemption import CodeOffer, Denial, RefreshOffer
from sallyport.model.target import Target
from sallyport.oauth import client_auth
from sallyport.oauth.deps import OAuth
from sallyport.oauth.dpop import nonce_header, proven_key
from sallyport.oauth.errors import (
    INVALID_REQUEST,
    UNSUPPORTED_GRANT_TYPE,
    OAuthError,
    error_reply,
    json_reply,
)
from sallyport.oauth.parameters import Parameters, read_body
from sallyport.oauth.targets import UnknownTarget, asked_target
from sallyport.scopes.grammar import split_namespaced
from sallyport.store.client_secrets import SecretEnded, live_secret_digests
from sallyport.tokens import service
from sallyport.tokens.access import mint, scope_text
from sallyport.tokens.codes import Redeemed, redeem
from sallyport.tokens.refresh import rotate
from sallyport.vocab.clock import SECOND
from sallyport.vocab.message import Asked, Reply

KNOWN = client_auth.PARAMETERS | {
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "resource",
    "scope",
}


@dataclass(slots=True)
class Exchange:
    """What the steps have found out so far."""

    asked: Asked
    body: bytes | None
    parameters: Parameters | None = None
    client_id: str = ""
    secret_digest: str | None = None
    jkt: str | None = None
    target: Target | None = None
    grant: Grant | None = None
    redeemed: Redeemed | None = None

    def get(self, name: str) -> str | None:
        assert self.parameters is not None
        return self.parameters.get(name)

    def need(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise OAuthError(INVALID_REQUEST, f"{name} is missing.")
        return value

    @property
    def address(self) -> str | None:
        return self.asked.address or None


Grant = Callable[[OAuth, Exchange], Awaitable[Redeemed | Denial]]


async def code_grant(oauth: OAuth, exchange: Exchange) -> Redeemed | Denial:
    """RFC 6749 section 4.1.3, RFC 7636 section 4.5."""
    offer = CodeOffer(
        client_id=exchange.client_id,
        redirect_uri=exchange.get("redirect_uri"),
        code_verifier=exchange.get("code_verifier"),
        jkt=exchange.jkt,
        target=exchange.target,
    )
    code = exchange.need("code")
    return await redeem(
        oauth.store, oauth.policy, code, offer, exchange.address, exchange.secret_digest
    )


async def refresh_grant(oauth: OAuth, exchange: Exchange) -> Redeemed | Denial:
    """RFC 6749 section 6."""
    offer = RefreshOffer(
        client_id=exchange.client_id,
        scopes=_asked_scopes(exchange),
        jkt=exchange.jkt,
        target=exchange.target,
    )
    token = exchange.need("refresh_token")
    return await rotate(
        oauth.store, oauth.policy, token, offer, exchange.address, exchange.secret_digest
    )


async def client_credentials_grant(oauth: OAuth, exchange: Exchange) -> Redeemed | Denial:
    """RFC 6749 section 4.4: a service account asks for itself."""
    return await service.issue(
        oauth.store,
        oauth.policy,
        exchange.client_id,
        _asked_scopes(exchange),
        exchange.address,
        exchange.jkt,
        exchange.target,
        exchange.secret_digest,
    )


def _asked_scopes(exchange: Exchange) -> frozenset[str] | None:
    """The scopes asked for, un-namespaced; None where the parameter is absent."""
    asked = exchange.get("scope")
    return frozenset(split_namespaced(each)[1] for each in asked.split()) if asked else None


GRANTS: dict[str, Grant] = {
    "authorization_code": code_grant,
    "refresh_token": refresh_grant,
    "client_credentials": client_credentials_grant,
}


async def body_read_once(_oauth: OAuth, exchange: Exchange) -> None:
    """The body is parsed here and nowhere else; nothing may come twice in it."""
    exchange.parameters = read_body(exchange.asked, exchange.body, KNOWN)


async def client_authenticated(oauth: OAuth, exchange: Exchange) -> None:
    """The client is who it says, before anything is done with what it presents."""
    assert exchange.parameters is not None
    exchange.client_id, exchange.secret_digest = await client_auth.authenticate_to_issue(
        oauth, exchange.asked, exchange.parameters
    )


async def grant_type_known(_oauth: OAuth, exchange: Exchange) -> None:
    """One of `GRANTS`."""
    exchange.grant = GRANTS.get(exchange.need("grant_type"))
    if exchange.grant is None:
        raise OAuthError(UNSUPPORTED_GRANT_TYPE, f"grant_type must be {' or '.join(GRANTS)}.")


async def key_proven(oauth: OAuth, exchange: Exchange) -> None:
    """A DPoP proof, where there is one, is right and new; its key is what tokens are bound to."""
    exchange.jkt = await proven_key(oauth, exchange.asked)


async def target_known(oauth: OAuth, exchange: Exchange) -> None:
    """`resource`, where it is there, names an API that a token can be for (RFC 8707)."""
    assert exchange.parameters is not None
    try:
        exchange.target = await asked_target(oauth, exchange.parameters)
    except UnknownTarget as unknown:
        raise OAuthError(unknown.error, str(unknown)) from None


async def consumed_and_issued(oauth: OAuth, exchange: Exchange) -> None:
    """One transaction sees that the client's secret still lives, consumes, issues and audits."""
    assert exchange.grant is not None
    try:
        outcome = await exchange.grant(oauth, exchange)
    except SecretEnded:
        raise client_auth.ended(oauth, exchange.client_id) from None
    if isinstance(outcome, Denial):
        raise OAuthError(outcome.error, outcome.why)
    exchange.redeemed = outcome


Step = Callable[[OAuth, Exchange], Awaitable[None]]

STEPS: tuple[Step, ...] = (
    body_read_once,
    client_authenticated,
    grant_type_known,
    key_proven,
    target_known,
    consumed_and_issued,
)


async def exchange_token(oauth: OAuth, asked: Asked, body: bytes | None) -> Reply:
    """Take a token request through every step; answer with tokens or with the refusal."""
    exchange = Exchange(asked, body)
    try:
        for step in STEPS:
            await step(oauth, exchange)
    except OAuthError as error:
        return error_reply(await _refusal(oauth, exchange, error))
    assert exchange.redeemed is not None
    return _tokens(oauth, exchange.redeemed, exchange.jkt)


async def _refusal(oauth: OAuth, exchange: Exchange, error: OAuthError) -> OAuthError:
    """The refusal; of a client whose secret ended, that, whatever else is wrong.

    A secret that is remembered alone got it past its step, and no transaction has looked since.
    """
    if exchange.secret_digest is None:
        return error
    live = await oauth.store.read(live_secret_digests, exchange.client_id)
    if exchange.secret_digest in live:
        return error
    return client_auth.ended(oauth, exchange.client_id)


def _tokens(oauth: OAuth, redeemed: Redeemed, jkt: str | None) -> Reply:
    """The token response, contract section (f.3), RFC 6749 section 5.1, RFC 9449 section 5."""
    issue = redeemed.issue
    now = oauth.store.clock.now()
    expires_at = oauth.policy.access_expires_at(issue.family_expires_at, now)
    token = mint(
        oauth.keys.ring,
        oauth.issuer,
        issue.grant,
        issue.family_id,
        issue.scopes,
        now,
        expires_at,
        jkt,
        issue.resource,
    )
    body = {
        "access_token": token,
        "token_type": "Bearer" if jkt is None else "DPoP",
        "expires_in": (expires_at - now) // SECOND,
        "scope": scope_text(issue.grant.namespace, issue.scopes),
    }
    if redeemed.refresh_token is not None:
        body["refresh_token"] = redeemed.refresh_token
    return json_reply(body, () if jkt is None else nonce_header(oauth))
