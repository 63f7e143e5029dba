"""`/oauth/token/accessible-resources`: which site a token is for, told from what is true now."""

from __future__ import annotations

import base64
from html import escape

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sallyport.model.access import VerifiedToken
from sallyport.model.directory import Site
from sallyport.oauth.deps import OAuth
from sallyport.oauth.desk import asked_of
from sallyport.oauth.dpop import nonce_header, take_proof
from sallyport.oauth.errors import NO_STORE
from sallyport.store.directory import site_by_id
from sallyport.store.engine import Reader
from sallyport.store.grants import family_by_id
from sallyport.store.standing import standing_of
from sallyport.tokens.access import scope_text, verify
from sallyport.tokens.bearer import (
    challenges,
    error_of,
    read_credentials,
    require_key,
    wrong_scheme,
)
from sallyport.vocab import problem
from sallyport.vocab.errors import Reason, Refused


async def accessible_resources(oauth: OAuth, request: Request) -> Response:
    """One item, the site of the token's grant; none where the token can do nothing there now."""
    as_dpop = False
    try:
        raw, as_dpop = read_credentials(request.headers.getlist("authorization"))
        token = verify(oauth.keys.ring, oauth.issuer, raw, oauth.store.clock.now())
        if as_dpop is (token.jkt is None):
            raise wrong_scheme(as_dpop=as_dpop)
        if as_dpop:
            require_key(token, (await take_proof(oauth, asked_of(request), raw)).jkt)
        found = await oauth.store.read(_reachable, token)
    except Refused as refused:
        return _refusal(oauth, refused, as_dpop)
    items = []
    if found is not None:
        site, scopes = found
        items.append(
            {
                "id": site.id,
                "url": oauth.site_url(site),
                "name": site.name,
                "scopes": scope_text(token.namespace, scopes).split(),
                "avatarUrl": _initial(site.name),
            }
        )
    return JSONResponse(items, headers=dict(NO_STORE))


async def _reachable(reader: Reader, token: VerifiedToken) -> tuple[Site, frozenset[str]] | None:
    """The site and the scopes that the token still has. Raises `Refused` for a dead token."""
    family = await family_by_id(reader, token.family_id)
    standing = await standing_of(reader, token.grant_id)
    if family is None or family.revoked_at is not None:
        raise _dead(Reason.TOKEN_REVOKED, "This token was revoked.")
    if standing is None or standing.grant.revoked_at is not None:
        raise _dead(Reason.GRANT_REVOKED, "The consent behind this token was ended.")
    if not standing.integration_alive:
        raise _dead(Reason.INTEGRATION_REVOKED, "The integration behind this token was ended.")
    scopes = token.scopes & standing.allowed()
    site = await site_by_id(reader, standing.grant.site_id)
    if site is None or not standing.member or not scopes:
        return None
    return site, scopes


def _dead(reason: Reason, detail: str) -> Refused:
    return Refused(reason, detail, fix="Ask for consent again to get a new token.")


def _refusal(oauth: OAuth, refused: Refused, as_dpop: bool) -> Response:
    """RFC 6750 section 3: no error code where no credentials came."""
    parts = [f'resource_metadata="{oauth.issuer}/.well-known/oauth-protected-resource"']
    if refused.reason is not Reason.TOKEN_MISSING:
        parts.append(f'error="{error_of(refused.reason)}"')
    challenge = challenges(", ".join(parts), as_dpop)
    return Response(
        problem.encode(refused),
        status_code=refused.reason.status,
        media_type=problem.MEDIA_TYPE,
        headers={
            **dict(NO_STORE),
            **dict(nonce_header(oauth) if as_dpop else ()),
            "WWW-Authenticate": challenge,
        },
    )


def _initial(name: str) -> str:
    """An avatar that needs no file: the name's first letter, as a data URL."""
    letter = escape(next((each for each in name if each.isalnum()), "S").upper())
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">'
        '<rect width="24" height="24" rx="4" fill="#44546f"/><text x="12" y="17" fill="#fff" '
        f'font-family="sans-serif" font-size="14" text-anchor="middle">{letter}</text></svg>'
    )
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
