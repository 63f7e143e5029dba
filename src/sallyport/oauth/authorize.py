"""`/authorize`: GET shows the question, POST takes the answer (RFC 6749 section 4.1)."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sallyport.model.access import OFFLINE_ACCESS
from sallyport.model.consent import AuthorizeProblem
from sallyport.model.directory import Account, Actor
from sallyport.oauth.asking import KNOWN, Asking, Stop, awaiting, check, named_handle
from sallyport.oauth.deps import OAuth
from sallyport.oauth.errors import ACCESS_DENIED, NO_STORE, plain
from sallyport.oauth.limits import Spent
from sallyport.oauth.parameters import Malformed, Parameters, read_query
from sallyport.oauth.question import (
    declined_scopes,
    draw_question,
    remembered_site,
    sites_that_cover,
)
from sallyport.store.accounts import account_by_id
from sallyport.store.approvals import awaited_scopes
from sallyport.store.consent import (
    Consent,
    ConsentSite,
    consent_sites,
    give_consent,
    record_denial,
)
from sallyport.store.pushed import change_opened_request
from sallyport.tokens.codes import new_code
from sallyport.vocab import ids
from sallyport.vocab.buckets import seconds_in_words
from sallyport.vocab.errors import Reason, Refused

PATH = "/authorize"


async def show(oauth: OAuth, request: Request) -> Response:
    """Check the request, have the person sign in, ask."""
    try:
        asking = Asking(read_query(request, KNOWN))
    except Malformed as problem:
        told = AuthorizeProblem("The link cannot be read", str(problem), None, 400)
        return await oauth.pages.problem(request, told)
    try:
        _charge_handle(oauth, request, asking)
        await check(oauth, asking)
        if asking.opened:
            # The browser goes on with its own handle: the one that the client was given is used up.
            return _see_other(_again(asking))
        prompts = asking.prompts()
        account = await oauth.pages.signed_in_account(request)
        if account is None and "none" in prompts:
            raise Stop("login_required", "Nobody is signed in in this browser.")
        if account is None or "login" in prompts:
            return await oauth.pages.sign_in(request, await _return_to(oauth, asking))
        sites = await _sites(oauth, asking, account)
        if "consent" not in prompts:
            code = await _remembered(oauth, request, asking, account, sites)
            if code is not None:
                return _back(oauth, asking, {"code": code})
        if "none" in prompts:
            raise _must_ask(sites)
        owner = await oauth.store.read(account_by_id, asking.client.owner_id)
        view = draw_question(asking, account, owner, sites)
    except Spent as spent:
        return await _spent(oauth, request, spent)
    except Stop as stop:
        return await _stopped(oauth, request, asking, stop)
    except Refused as refused:
        return await _refused(oauth, request, refused)
    return await oauth.pages.consent(request, view)


async def decide(oauth: OAuth, request: Request) -> Response:
    """Check the form, then the whole request anew, then do as the person says."""
    try:
        form = await oauth.pages.verify_form(request)
    except Refused as refused:
        return await _refused(oauth, request, refused)
    fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    answer = dict(fields)
    asking = Asking(Parameters(fields, KNOWN))
    try:
        _charge_handle(oauth, request, asking)
        await check(oauth, asking)
        account = await oauth.pages.signed_in_account(request)
        if account is None:
            return await oauth.pages.sign_in(request, await _return_to(oauth, asking))
        sites = await _sites(oauth, asking, account)
        site = next((each for each in sites if each.site.id == answer.get("site")), None)
        actor = Actor(account.id, account.name, address=_address(request))
        if answer.get("decision") != "allow":
            await oauth.store.write(
                record_denial,
                actor,
                asking.client.client_id,
                asking.asked.environment,
                site.site.id if site is not None else None,
                _pushed(asking),
            )
            raise Stop(ACCESS_DENIED, "The request was denied.")
        if site is None:
            raise Stop(
                ACCESS_DENIED,
                "No site was chosen, or it is not one that this can be allowed for.",
                title="Choose a site",
                fix="Go back, choose a site and press Allow.",
            )
        offered, kept = (
            [value for name, value in fields if name == wanted] for wanted in ("offered", "kept")
        )
        declined = declined_scopes(asking, site, offered, kept)
        code = await _allow(
            oauth, asking, actor, site, scopes=asking.scopes - declined, declined=declined
        )
        if code is None:
            raise Stop(
                ACCESS_DENIED,
                "The app, the integration or your membership changed while you decided.",
                title="Something changed",
                fix="Start again from the integration.",
            )
    except Spent as spent:
        return await _spent(oauth, request, spent)
    except Stop as stop:
        return await _stopped(oauth, request, asking, stop)
    except Refused as refused:
        return await _refused(oauth, request, refused)
    return _back(oauth, asking, {"code": code})


def _charge_handle(oauth: OAuth, request: Request, asking: Asking) -> None:
    """Count a request that names a pushed one: opening it is a write, whoever made the name up.

    Raises `Spent`.
    """
    if named_handle(asking.parameters) is not None:
        oauth.limits.charge_address(_address(request) or "", oauth.store.clock.now())


async def _remembered(
    oauth: OAuth, request: Request, asking: Asking, account: Account, sites: list[ConsentSite]
) -> str | None:
    """A code without a question, where the account has said yes to all of it before."""
    site = remembered_site(asking, sites)
    if site is None:
        return None
    actor = Actor(account.id, account.name, address=_address(request))
    scopes = asking.scopes & site.consented
    return await _allow(oauth, asking, actor, site, scopes=scopes, remembered=True)


def _must_ask(sites: list[ConsentSite]) -> Stop:
    """Why `prompt=none` cannot be met (OpenID Connect Core section 3.1.2.6)."""
    if len(sites) > 1:
        return Stop("interaction_required", "The person has to choose a site.")
    return Stop("consent_required", "The person has not allowed all of this before.")


async def _allow(
    oauth: OAuth,
    asking: Asking,
    actor: Actor,
    site: ConsentSite,
    *,
    scopes: frozenset[str],
    declined: frozenset[str] = frozenset(),
    remembered: bool = False,
) -> str | None:
    """A fresh code; None where something has changed meanwhile."""
    assert actor.account_id is not None
    assert asking.redirect_uri is not None
    code, digest = new_code()
    given = await oauth.store.write(
        give_consent,
        actor,
        Consent(
            client_id=asking.client.client_id,
            account_id=actor.account_id,
            site_id=site.site.id,
            environment_id=asking.asked.environment.id,
            scopes=scopes,
            redirect_uri=asking.redirect_uri,
            redirect_uri_sent="redirect_uri" in asking.parameters.sent,
            code_challenge=asking.parameters.get("code_challenge"),
            dpop_jkt=asking.parameters.get("dpop_jkt"),
            resource=asking.target.resource if asking.target is not None else None,
            remembered=remembered,
            declined=declined,
            pushed=_pushed(asking),
        ),
        digest,
        oauth.policy.code_lifetime,
    )
    return code if given else None


async def _sites(oauth: OAuth, asking: Asking, account: Account) -> list[ConsentSite]:
    """The sites that the account can allow this for; there is at least one. Raises `Stop`."""
    offered = asking.asked
    mine = await oauth.store.read(consent_sites, asking.client, offered.environment, account.id)
    if asking.target is not None and asking.target.site_id is not None:
        mine = [each for each in mine if each.site.id == asking.target.site_id]
    covering = sites_that_cover(asking, mine)
    if covering:
        return covering
    if mine:
        waiting = await _awaited(oauth, asking, mine)
        if waiting:
            raise awaiting(asking, waiting)
        raise Stop(
            ACCESS_DENIED,
            "The integration may not ask for all of these scopes on any of your sites.",
            title="Nothing to allow",
            fix="Its developer can change the scopes for each site in the developer console.",
        )
    raise Stop(
        ACCESS_DENIED,
        f"{asking.client.name} works with {offered.app.name}, on sites where that app is "
        f"installed. {account.email} is not a member of any of them.",
        title="None of your sites",
        fix="Sign in with another account, or ask an admin of the site to add you.",
    )


async def _awaited(oauth: OAuth, asking: Asking, mine: list[ConsentSite]) -> list[str]:
    """What of the request an admin has still to approve on one of the account's sites."""
    environment_id = asking.asked.environment.id
    here = await oauth.store.read(awaited_scopes, asking.client.client_id, environment_id)
    for each in mine:
        missing = asking.scopes - {OFFLINE_ACCESS} - each.link.scopes - each.link.product_scopes
        if missing <= here.get(each.site.id, frozenset()):
            return sorted(missing)
    return []


async def _stopped(oauth: OAuth, request: Request, asking: Asking, stop: Stop) -> Response:
    if stop.title is not None or asking.redirect_uri is None:
        title = stop.title or "The request cannot be carried out"
        problem = AuthorizeProblem(title, stop.description, stop.fix, 400)
        return await oauth.pages.problem(request, problem)
    return _back(oauth, asking, {"error": stop.error, "error_description": plain(stop.told)})


async def _spent(oauth: OAuth, request: Request, spent: Spent) -> Response:
    title = Reason.RATE_LIMITED.title
    fix = f"Wait {seconds_in_words(spent.wait)}, then load this page again."
    problem = AuthorizeProblem(title, spent.limit, fix, spent.status, retry_after=spent.wait)
    return await oauth.pages.problem(request, problem)


async def _refused(oauth: OAuth, request: Request, refused: Refused) -> Response:
    reason = refused.reason
    problem = AuthorizeProblem(reason.title, refused.detail, refused.fix, reason.status)
    return await oauth.pages.problem(request, problem)


def _back(oauth: OAuth, asking: Asking, answer: dict[str, str]) -> Response:
    """Send the browser to the client with the answer, `state` and `iss` (RFC 9207).

    303, so that the form with the decision is not sent on (RFC 9700 section 4.12).
    """
    assert asking.redirect_uri is not None
    state = asking.parameters.get("state")
    if state is not None:
        answer = {**answer, "state": state}
    query = urlencode({**answer, "iss": oauth.issuer})
    joint = "&" if "?" in asking.redirect_uri else "?"
    return _see_other(f"{asking.redirect_uri}{joint}{query}")


def _see_other(address: str) -> Response:
    return RedirectResponse(
        address, status_code=303, headers={**dict(NO_STORE), "Referrer-Policy": "no-referrer"}
    )


async def _return_to(oauth: OAuth, asking: Asking) -> str:
    """This request again; without `login`, which has been met when the person comes back."""
    if "login" in asking.prompts():
        fields = dict(asking.parameters.pairs())
        fields["prompt"] = " ".join(sorted(asking.prompts() - {"login"}))
        asking.parameters = Parameters(fields.items(), KNOWN)
        pushed = _pushed(asking)
        if pushed is not None:
            await oauth.store.write(change_opened_request, pushed, asking.parameters.pairs())
    return _again(asking)


def _again(asking: Asking) -> str:
    return f"{PATH}?{urlencode(asking.carried())}"


def _pushed(asking: Asking) -> str | None:
    """What the answer uses up, where the request was pushed."""
    return None if asking.handle is None else ids.digest(asking.handle)


def _address(request: Request) -> str | None:
    return request.client.host if request.client is not None else None
