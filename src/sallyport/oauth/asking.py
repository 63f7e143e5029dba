"""An authorization request, checked from top to bottom.

`STEPS` is the order. A refusal goes to the client's address only once `exact_redirect_uri` has
said that the address is the client's; before that, and where only a person can mend it, it stops on
a page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sallyport.model.access import OFFLINE_ACCESS, ClientKind, Integration
from sallyport.model.redirects import is_registered
from sallyport.model.target import Target
from sallyport.oauth.deps import OAuth
from sallyport.oauth.errors import (
    ACCESS_DENIED,
    INVALID_REQUEST,
    INVALID_SCOPE,
    UNSUPPORTED_RESPONSE_TYPE,
)
from sallyport.oauth.parameters import Parameters
from sallyport.oauth.targets import RESOURCE, UnknownTarget, asked_target
from sallyport.scopes.grammar import is_custom, split_namespaced
from sallyport.store.approvals import awaited_scopes
from sallyport.store.consent import Offered, offered_environment
from sallyport.store.integrations import integration_by_client_id
from sallyport.store.pushed import open_request, opened_request
from sallyport.tokens.policy import INVALID_TARGET, is_challenge
from sallyport.tokens.proof import is_thumbprint
from sallyport.vocab import ids

KNOWN = frozenset(
    {
        "audience",
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "dpop_jkt",
        "prompt",
        "redirect_uri",
        "request",
        "request_uri",
        "resource",
        "response_mode",
        "response_type",
        "scope",
        "sns",
        "state",
    }
)
REQUEST_URI = "urn:ietf:params:oauth:request_uri:"
"""What comes before the handle of a pushed request (RFC 9126 section 2.2)."""

PROMPTS = frozenset({"consent", "login", "none"})


class Stop(Exception):
    """A refusal. `title` None: it may go to the client's address; else it is a page's."""

    def __init__(
        self, error: str, description: str, *, title: str | None = None, fix: str | None = None
    ) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.title = title
        self.fix = fix

    @property
    def told(self) -> str:
        """Why, and what to do about it, in one text."""
        return self.description if self.fix is None else f"{self.description} {self.fix}"


@dataclass(slots=True)
class Asking:
    """What the steps have found out so far. Scopes are un-namespaced.

    `pushed`: the parameters came from the client itself (RFC 9126). The browser then has `handle`
    in their place; `opened` tells that it has just been given it.
    """

    parameters: Parameters
    pushed: bool = False
    handle: str | None = None
    opened: bool = False
    integration: Integration | None = None
    redirect_uri: str | None = None
    environment_id: str | None = None
    offered: Offered | None = None
    target: Target | None = None
    scopes: frozenset[str] = frozenset()

    @property
    def client(self) -> Integration:
        assert self.integration is not None
        return self.integration

    @property
    def asked(self) -> Offered:
        assert self.offered is not None
        return self.offered

    def carried(self) -> tuple[tuple[str, str], ...]:
        """What brings this request back: itself, or the handle of a pushed one."""
        if self.handle is None:
            return self.parameters.pairs()
        return (
            ("client_id", self.client.client_id),
            ("request_uri", REQUEST_URI + self.handle),
        )

    def prompts(self) -> frozenset[str]:
        return frozenset((self.parameters.get("prompt") or "").split())


def named_handle(parameters: Parameters) -> str | None:
    """The handle of the pushed request that a request names, whether or not it is one of ours."""
    request_uri = parameters.get("request_uri") or ""
    handle = request_uri.removeprefix(REQUEST_URI)
    return None if handle == request_uri else handle


async def as_pushed(oauth: OAuth, asking: Asking) -> None:
    """Where `request_uri` is a pushed request's, what was pushed is what is asked (RFC 9126
    section 4).

    The address may repeat it and may not say otherwise.
    """
    address = asking.parameters
    handle = named_handle(address)
    if handle is None:
        return
    fresh = ids.is_well_formed(handle, ids.PUSHED_REQUEST)
    client_id = address.get("client_id") or ""
    digest, now = ids.digest(handle), oauth.store.clock.now()
    if fresh:
        handle = ids.new_secret(ids.OPENED_REQUEST)
        ends_at = now + oauth.policy.question_lifetime
        pairs = await oauth.store.write(
            open_request, client_id, digest, ids.digest(handle), ends_at
        )
    elif ids.is_well_formed(handle, ids.OPENED_REQUEST):
        pairs = await oauth.store.read(opened_request, client_id, digest, now)
    else:
        pairs = None
    if pairs is None:
        raise Stop(
            INVALID_REQUEST,
            "The request that the integration prepared was used before, has expired, or is not "
            "this integration's.",
            title="This request is no longer good",
            fix="Start again from the integration.",
        )
    asking.parameters = Parameters(pairs, KNOWN)
    asking.pushed, asking.handle, asking.opened = True, handle, fresh
    pushed = dict(pairs)
    others = address.sent - {"request_uri"}
    unlike = sorted(
        name for name in others if name in address.repeated or address.get(name) != pushed.get(name)
    )
    if unlike:
        raise Stop(
            INVALID_REQUEST,
            f"The address and the request that the integration prepared differ in: "
            f"{', '.join(unlike)}.",
            title="Two requests in one",
            fix="Send client_id and request_uri to the authorization endpoint, and nothing else.",
        )


async def known_client(oauth: OAuth, asking: Asking) -> None:
    """The client exists, was not revoked, and is no service account: those ask nobody."""
    client_id = asking.parameters.get("client_id")
    if client_id is not None and ids.is_uuid(client_id):
        asking.integration = await oauth.store.read(integration_by_client_id, client_id)
    found = asking.integration
    if found is None or found.revoked_at is not None or found.kind is ClientKind.SERVICE:
        raise Stop(
            INVALID_REQUEST,
            "The link that brought you here names no integration that exists on this platform.",
            title="Unknown integration",
            fix="Check client_id in the authorization URL. It must be there once.",
        )


async def exact_redirect_uri(_oauth: OAuth, asking: Asking) -> None:
    """The redirect URI is, character by character, one that the client registered.

    RFC 9700 section 2.1; of a public client's loopback address the port may differ. It may be
    absent where one alone is registered.
    """
    registered = asking.client.redirect_uris
    absent = "redirect_uri" not in asking.parameters.sent
    given = registered[0] if absent and len(registered) == 1 else None
    given = given or asking.parameters.get("redirect_uri")
    if given is None or not is_registered(asking.client, given):
        raise Stop(
            INVALID_REQUEST,
            "The address that this request wants to go back to is not one of the integration's "
            "callback URLs. You were not sent there.",
            title="Wrong callback URL",
            fix="Send redirect_uri once, exactly as it is registered in the developer console.",
        )
    asking.redirect_uri = given


async def nothing_twice(_oauth: OAuth, asking: Asking) -> None:
    """No parameter comes more than once (RFC 6749 section 3.1); `resource` has its own step."""
    repeated = asking.parameters.repeated - {RESOURCE}
    if repeated:
        names = ", ".join(sorted(repeated))
        raise Stop(INVALID_REQUEST, f"Sent more than once: {names}.")


async def pushed_where_required(_oauth: OAuth, asking: Asking) -> None:
    """Some clients push every request, and whatever else comes in their name is not theirs."""
    if asking.client.require_par and not asking.pushed:
        raise Stop(
            INVALID_REQUEST,
            "This client must push its authorization requests (RFC 9126).",
            fix="Send the parameters to /oauth/par first, then request_uri here.",
        )


async def no_request_object(_oauth: OAuth, asking: Asking) -> None:
    """Request objects are not taken; ignoring one would ignore what the client signed."""
    for name in ("request", "request_uri"):
        if asking.parameters.get(name) is not None:
            raise Stop(f"{name}_not_supported", f"{name} is not supported here.")


async def code_in_the_query(_oauth: OAuth, asking: Asking) -> None:
    """The code flow alone, answered in the query (OAuth 2.1)."""
    response_type = asking.parameters.get("response_type")
    if response_type is None:
        raise Stop(INVALID_REQUEST, "response_type is missing; it must be code.")
    if response_type != "code":
        raise Stop(UNSUPPORTED_RESPONSE_TYPE, "response_type must be code.")
    if asking.parameters.get("response_mode") not in (None, "query"):
        raise Stop(INVALID_REQUEST, "response_mode must be query, or absent.")


async def our_audience(oauth: OAuth, asking: Asking) -> None:
    """Tokens are for this platform, whatever clients of the vendor call it."""
    audience = asking.parameters.get("audience")
    if audience is None or audience.rstrip("/") == oauth.issuer or audience in oauth.audiences:
        return
    known = ", ".join(sorted(oauth.audiences | {oauth.issuer}))
    raise Stop(INVALID_REQUEST, f"audience must be one of {known}, or absent.")


async def s256_challenge(_oauth: OAuth, asking: Asking) -> None:
    """PKCE by S256 alone (RFC 7636, RFC 9700 section 2.1.1).

    Forge-compatible clients may go without, since clients of the vendor send none.
    """
    challenge = asking.parameters.get("code_challenge")
    method = asking.parameters.get("code_challenge_method")
    sent = asking.parameters.sent
    if "code_challenge" not in sent and "code_challenge_method" not in sent:
        if asking.client.forge_compatible:
            return
        raise Stop(
            INVALID_REQUEST,
            "code_challenge is missing: this client must use PKCE with S256 (RFC 7636).",
            fix="For a client written for Forge, make a Forge-compatible integration.",
        )
    if method != "S256":
        raise Stop(INVALID_REQUEST, "code_challenge_method must be S256.")
    if challenge is None or not is_challenge(challenge):
        raise Stop(
            INVALID_REQUEST, "code_challenge must be 43 characters of base64url, without padding."
        )


async def thumbprint_of_a_key(_oauth: OAuth, asking: Asking) -> None:
    """`dpop_jkt` binds the code to a key (RFC 9449 section 10)."""
    jkt = asking.parameters.get("dpop_jkt")
    if "dpop_jkt" in asking.parameters.sent and (jkt is None or not is_thumbprint(jkt)):
        raise Stop(
            INVALID_REQUEST, "dpop_jkt must be the SHA-256 thumbprint of a key, in base64url."
        )


async def known_prompt(_oauth: OAuth, asking: Asking) -> None:
    """`prompt` is consent, login or none; none stands alone."""
    prompts = asking.prompts()
    if not prompts <= PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise Stop(INVALID_REQUEST, "prompt must be consent, login or none.")


async def known_target(oauth: OAuth, asking: Asking) -> None:
    """`resource`, where it is there, names an API that a token can be for (RFC 8707)."""
    try:
        asking.target = await asked_target(oauth, asking.parameters)
    except UnknownTarget as unknown:
        raise Stop(unknown.error, str(unknown)) from None


async def one_app(oauth: OAuth, asking: Asking) -> None:
    """One app environment is meant: by `sns`, `resource`, namespaced scopes, or being alone.

    Contract section (f.2).
    """
    linked = {f"{each.app_id}.{each.environment_id}" for each in asking.client.links}
    named = {prefix for prefix, _ in map(split_namespaced, _scopes(asking)) if prefix is not None}
    sns = asking.parameters.get("sns")
    if sns is not None:
        named.add(sns)
    target = asking.target.namespace if asking.target is not None else None
    if target is not None:
        if target not in (named or linked) or target not in linked:
            raise Stop(INVALID_TARGET, "resource is not an API of the app that is asked about.")
        named.add(target)
    if len(named) > 1:
        raise Stop(INVALID_SCOPE, "sns and the scopes name more than one app environment.")
    if not named and len(linked) > 1:
        choices = "; ".join(f"sns={each}" for each in sorted(linked))
        raise Stop(
            INVALID_REQUEST,
            f"{asking.client.name} is linked to {len(linked)} app environments, and this request "
            "does not say which one it is about.",
            title="Which app?",
            fix=f"Add one of these to the authorization URL: {choices}",
        )
    namespace = next(iter(named or linked), None)
    if namespace is None:
        raise Stop(
            INVALID_REQUEST,
            f"{asking.client.name} is not linked to any app.",
            title="Nothing to allow",
            fix="Link the integration to an installed app in the developer console.",
        )
    if namespace not in linked:
        raise Stop(
            INVALID_REQUEST, "sns names an app environment that the integration is not linked to."
        )
    _app_id, _, environment_id = namespace.partition(".")
    asking.offered = await oauth.store.read(offered_environment, environment_id)
    if asking.offered is None:
        raise Stop(INVALID_REQUEST, "The app environment that sns names was deleted.")


async def scopes_of_the_links(oauth: OAuth, asking: Asking) -> None:
    """Every scope is one that the integration was given for this app; one at least is custom.

    Contract section (f.2): a request without custom scopes asks for nothing that could be shown.
    Scopes that wait for an admin of a site are told apart from those that nobody asked for.
    """
    scopes = frozenset(split_namespaced(each)[1] for each in _scopes(asking))
    if not any(is_custom(each) for each in scopes):
        raise Stop(
            INVALID_SCOPE,
            "This app has not requested any supported scopes: the request names no custom scope.",
            title="Nothing to allow",
            fix="Add a scope such as read:employee:custom to the scope parameter.",
        )
    environment_id = asking.asked.environment.id
    allowed = {OFFLINE_ACCESS}
    for link in asking.client.links:
        if link.environment_id == environment_id:
            allowed |= link.scopes | link.product_scopes
    unknown = sorted(scopes - allowed)
    if unknown:
        awaited = await oauth.store.read(awaited_scopes, asking.client.client_id, environment_id)
        if scopes <= allowed | frozenset().union(*awaited.values()):
            raise awaiting(asking, unknown)
        raise Stop(
            INVALID_SCOPE,
            f"The integration is not allowed to ask for: {', '.join(unknown)}.",
            fix="Add them to the integration in the developer console.",
        )
    asking.scopes = scopes


def awaiting(asking: Asking, scopes: list[str]) -> Stop:
    """Why nobody can allow these yet: an admin of the site has not answered.

    A person reads it on a page; where the client asked for none, it goes to the client's address.
    """
    return Stop(
        ACCESS_DENIED,
        f"{asking.client.name} waits for an admin of the site to approve: {', '.join(scopes)}.",
        title=None if "none" in asking.prompts() else "An admin's approval is awaited",
        fix="Ask an admin of the site to answer the request under Approvals, then start again.",
    )


Step = Callable[[OAuth, Asking], Awaitable[None]]

STEPS: tuple[Step, ...] = (
    as_pushed,
    known_client,
    exact_redirect_uri,
    nothing_twice,
    pushed_where_required,
    no_request_object,
    code_in_the_query,
    our_audience,
    s256_challenge,
    thumbprint_of_a_key,
    known_prompt,
    known_target,
    one_app,
    scopes_of_the_links,
)


async def check(oauth: OAuth, asking: Asking) -> None:
    """Take a request through every step. Raises `Stop` at the first that refuses."""
    for step in STEPS:
        await step(oauth, asking)


def _scopes(asking: Asking) -> list[str]:
    return (asking.parameters.get("scope") or "").split()
