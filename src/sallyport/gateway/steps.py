"""A call, from top to bottom.

`STEPS` is the order in which a call is checked, gate by gate. Each step is a synchronous function
`(call, facts, policy)`: it finds something out about the call or raises `Refused`. It asks `facts`
for what it needs; where that is not at hand, `Lacking` is raised, the fact is loaded and the steps
run again from the first. So steps change nothing but the call itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sallyport.gateway import refuse
from sallyport.gateway.address import read_address, read_query, user_path
from sallyport.gateway.audience import names_of
from sallyport.gateway.behind import Behind
from sallyport.gateway.call import Address, Call
from sallyport.gateway.cors import answer_preflight
from sallyport.gateway.facts import Facts
from sallyport.gateway.idempotency import read_key
from sallyport.gateway.identity import function_headers
from sallyport.gateway.limits import CallLimits, too_many
from sallyport.gateway.proofs import ProofMemory, wanted_of
from sallyport.gateway.sources import Sources
from sallyport.model.access import VerifiedToken
from sallyport.model.decision import Gate
from sallyport.model.directory import Site
from sallyport.observe.traces import Traces
from sallyport.scopes import decide
from sallyport.tokens.bearer import read_credentials, require_key, wrong_scheme
from sallyport.tokens.nonce import Nonces
from sallyport.tokens.proof import Proof, check_proof
from sallyport.vocab.errors import Reason, Refused

LARGEST_PAYLOAD = 5 * 1024 * 1024
LARGEST_HEADERS = 32 * 1024
MOST_HEADERS = 100

TokenVerifier = Callable[[str, int], VerifiedToken]
"""Raw access token, now in milliseconds -> its claims. Raises `Refused`."""


ShareProof = Callable[[Proof], Awaitable[None]]
"""Uses a proof up in every process of the platform. Raises `Refused` where it was used."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the steps are given besides facts; compiled once.

    `share_proof` is there where calls come in through several processes.
    """

    sources: Sources
    verify: TokenVerifier
    public_url: str
    forge_compatible: bool
    limits: CallLimits = field(default_factory=CallLimits)
    proofs: ProofMemory = field(default_factory=ProofMemory)
    share_proof: ShareProof | None = None
    nonces: Nonces | None = None
    site_url: Callable[[Site], str] | None = None
    traces: Traces = field(default_factory=Traces)


Step = Callable[[Call, Facts, Policy], None]


def canonical_path(call: Call, _facts: Facts, _policy: Policy) -> None:
    """Headers are few, and the path is in canonical form; nothing is repaired."""
    if len(call.headers) > MOST_HEADERS or (
        sum([len(name) + len(value) for name, value in call.headers]) > LARGEST_HEADERS
    ):
        raise refuse.headers_too_large(MOST_HEADERS, LARGEST_HEADERS)
    call.address = read_address(call.raw_path)


def site_and_installation(call: Call, facts: Facts, policy: Policy) -> None:
    """The site exists and the app is installed there, in this environment, on this product."""
    address = _address(call)
    if address.by_host:
        site = facts.get(policy.sources.site_by_host, call.host)
    else:
        site = facts.get(policy.sources.site_by_id, address.cloud_id or "")
    if site is None:
        raise refuse.unknown_site(address, call.host)
    call.site = site
    if address.product not in site.products:
        raise refuse.unknown_product(site, address.product)
    key = (site.id, address.app_id, address.environment_id, address.product)
    call.installed = facts.get(policy.sources.installed, key)
    if call.installed is None:
        raise refuse.not_installed(site, address)


def route(call: Call, _facts: Facts, _policy: Policy) -> None:
    """The live version has a route for this path and method. Raises `Preflight` too."""
    assert call.installed is not None
    table = call.installed.compiled.table
    segments = _address(call).segments
    call.found = table.find(call.method, segments)
    if call.found is not None:
        return
    answer_preflight(call, table, segments)
    operations = table.allowed(segments)
    if operations:
        raise refuse.method_not_allowed(call.method, operations)
    raise refuse.unknown_route(_address(call).app_path)


def token(call: Call, _facts: Facts, policy: Policy) -> None:
    """There is one token, ours, in time, sent as what it is, and for this API and app."""
    assert call.installed is not None
    assert call.site is not None
    raw, call.as_dpop = read_credentials(call.header_values("authorization"))
    call.token = policy.verify(raw, call.now)
    if call.as_dpop is (call.token.jkt is None):
        raise wrong_scheme(as_dpop=call.as_dpop)
    if call.token.audience is not None:
        site_url = policy.site_url(call.site) if policy.site_url is not None else None
        names = names_of(call, policy.public_url, site_url)
        refuse.unless(decide.deny_other_api(call.token, names), call.site)
    refuse.unless(
        decide.deny_other_app(call.token, call.installed.environment.namespace), call.site
    )


def proof(call: Call, _facts: Facts, policy: Policy) -> None:
    """The caller holds the key that the token is bound to, if any; proven anew for each call."""
    assert call.token is not None
    # The steps may run again for this call, and its proof is good once.
    if call.token.jkt is None or call.proven:
        return
    assert call.site is not None
    raw, _ = read_credentials(call.header_values("authorization"))
    site_url = policy.site_url(call.site) if policy.site_url is not None else None
    nonces = None
    if policy.nonces is not None:
        nonces = policy.nonces.accepted(call.now)
        call.nonce = nonces[0]
    wanted = wanted_of(call, raw, policy.public_url, site_url, nonces)
    proven = check_proof(call.header_values("dpop"), wanted, call.now)
    require_key(call.token, proven.jkt)
    policy.proofs.take(proven, call.now)
    call.proven = True
    if policy.share_proof is not None:
        call.unshared = proven


def switch(call: Call, _facts: Facts, _policy: Policy) -> None:
    """An admin of the site has turned REST APIs on for this app."""
    assert call.installed is not None
    assert call.site is not None
    refuse.unless(decide.deny_switched_off(call.installed.enabled, call.site.name), call.site)


def grant_alive(call: Call, facts: Facts, policy: Policy) -> None:
    """Family, consent, integration, link and membership behind the token all live now."""
    assert call.token is not None
    assert call.installed is not None
    assert call.site is not None
    site = call.site
    behind = _behind(call, facts, policy.sources)
    refuse.unless(decide.deny_dead_family(behind.family), site)
    grant = behind.grant
    refuse.unless(decide.deny_dead_grant(call.token, grant), site)
    assert grant is not None
    refuse.unless(decide.deny_other_site(grant, site.id), site)
    refuse.unless(decide.deny_dead_integration(behind.integration), site)
    refuse.unless(decide.deny_unlinked(behind.link), site)
    refuse.unless(decide.deny_not_member(behind.role), site)
    call.behind, call.grant, call.link = behind, grant, behind.link


def _behind(call: Call, facts: Facts, sources: Sources) -> Behind:
    """What stands behind the token, from the facts at hand. Raises `Lacking`."""
    token, installed, site = call.token, call.installed, call.site
    assert token is not None
    assert installed is not None
    assert site is not None
    # What is kept holds on to both, so nothing else can have their addresses.
    key = (id(token), id(installed))
    known = facts.joined(key)
    if known is not None:
        behind: Behind = known
        return behind
    family = facts.get(sources.family, token.family_id)
    grant = integration = role = link = None
    if decide.deny_dead_family(family) is None:
        grant = facts.get(sources.grant, token.grant_id)
    if grant is not None and grant.site_id == site.id:
        linked = (grant.client_id, site.id, installed.environment.id)
        integration = facts.get(sources.integration, linked)
    if integration is not None and grant is not None:
        link = decide.link_of(integration, site.id, installed.environment.id)
        if link is not None:
            role = facts.get(sources.role, (grant.account_id, site.id))
    behind = Behind(token, installed, family, grant, integration, link, role)
    facts.keep_joined(key, behind)
    return behind


def scopes(call: Call, _facts: Facts, _policy: Policy) -> None:
    """The token may do, now, everything that the route and the product ask for."""
    assert call.token is not None
    assert call.grant is not None
    assert call.link is not None
    assert call.found is not None
    assert call.behind is not None
    call.scopes = call.behind.scopes
    refuse.unless(
        decide.deny_missing_scopes(call.found.route.scopes, _address(call).product, call.scopes),
        call.site,
    )


def limits(call: Call, _facts: Facts, policy: Policy) -> None:
    """The body announced is small and of a type that the route takes, as is the answer asked for;
    and no quota is spent."""
    assert call.found is not None
    assert call.site is not None
    assert call.installed is not None
    assert call.grant is not None
    if call.content_length is not None and call.content_length > LARGEST_PAYLOAD:
        raise refuse.payload_too_large(LARGEST_PAYLOAD)
    has_body = call.content_length is None or call.content_length > 0
    accept = call.found.route.accept
    if has_body and accept and not refuse.is_accepted(call.header_values("content-type"), accept):
        raise refuse.media_type_unsupported(accept)
    if accept and not refuse.is_acceptable(call.header_values("accept"), accept):
        raise refuse.not_acceptable(accept)
    # The steps may run again for this call, and it counts once.
    if call.standing is None:
        call.standing = policy.limits.charge_call(
            call.found.route,
            site_id=call.site.id,
            environment_id=call.installed.environment.id,
            client_id=call.grant.client_id,
            account_id=call.grant.account_id,
            now=call.now,
        )
    if call.standing is not None and call.standing.wait:
        raise too_many(call.standing)


def idempotency(call: Call, _facts: Facts, _policy: Policy) -> None:
    """A key, where there is one, is a key; what stands under it is looked up before the run."""
    call.idempotency_key = read_key(call)


def invocation(call: Call, _facts: Facts, policy: Policy) -> None:
    """The request for the function: identity stripped and set, the credentials left out."""
    assert call.installed is not None
    assert call.found is not None
    assert call.grant is not None
    assert call.site is not None
    address = _address(call)
    call.sampled = policy.traces.samples(call.trace_id, call.parent)
    call.request = {
        "method": call.method,
        "path": address.app_path,
        "userPath": user_path(address.app_path, call.found.prefix),
        "headers": function_headers(call.headers, call.grant.account_id, call.traceparent),
        "queryParameters": read_query(call.query),
        "pathParameters": dict(call.found.params),
    }
    assert call.behind is not None
    call.context = call.behind.context_for(call.found.route)


STEPS: tuple[tuple[Gate, Step], ...] = (
    ("path", canonical_path),
    ("site", site_and_installation),
    ("route", route),
    ("token", token),
    ("token", proof),
    ("switch", switch),
    ("grant", grant_alive),
    ("scopes", scopes),
    ("limits", limits),
    ("idempotency", idempotency),
    ("function", invocation),
)


def walk(call: Call, facts: Facts, policy: Policy) -> None:
    """Take a call through every gate. Raises `Refused` at the gate that shuts, or `Lacking`."""
    for gate, step in STEPS:
        call.gate = gate
        step(call, facts, policy)


def _address(call: Call) -> Address:
    if call.address is None:
        raise Refused(Reason.INTERNAL, "The call has no address.")
    return call.address
