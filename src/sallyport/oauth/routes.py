"""The endpoints and their addresses (design: fixed outside faces)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sallyport.oauth import authorize, introspect, metadata, pushed, resources, revoke, token
from sallyport.oauth.deps import OAuth
from sallyport.oauth.errors import OAuthError, error_response

Endpoint = Callable[[OAuth, Request], Awaitable[Response]]

ENDPOINTS: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", authorize.PATH, authorize.show),
    ("POST", authorize.PATH, authorize.decide),
    ("POST", metadata.PAR, pushed.push),
    ("POST", metadata.TOKEN, token.exchange_token),
    ("POST", metadata.REVOKE, revoke.revoke),
    ("POST", metadata.INTROSPECT, introspect.introspect),
    ("GET", metadata.RESOURCES, resources.accessible_resources),
    ("GET", metadata.JWKS, metadata.jwks),
    ("GET", metadata.SERVER, metadata.authorization_server),
    ("GET", metadata.RESOURCE, metadata.protected_resource),
    ("GET", metadata.RESOURCE + "/{resource:path}", metadata.protected_resource),
)

# What clients ask by themselves, and so may be asked by anybody, without end.
LIMITED = frozenset({metadata.PAR, metadata.TOKEN, metadata.REVOKE, metadata.INTROSPECT})


def token_endpoint(oauth: OAuth) -> Callable[[Request], Awaitable[Response]]:
    """What `POST` at `metadata.TOKEN` does, for who answers it without a router."""
    return _bound(metadata.TOKEN, token.exchange_token, oauth)


def build_routes(oauth: OAuth) -> list[Route]:
    """Every route of the authorization server, to be mounted at the root."""
    return [
        Route(path, _bound(path, endpoint, oauth), methods=[method])
        for method, path, endpoint in ENDPOINTS
    ]


def _bound(path: str, endpoint: Endpoint, oauth: OAuth) -> Callable[[Request], Awaitable[Response]]:
    is_limited = path in LIMITED

    async def answer(request: Request) -> Response:
        if is_limited:
            try:
                oauth.limits.charge_address(request, oauth.store.clock.now())
            except OAuthError as error:
                return error_response(error)
        return await endpoint(oauth, request)

    return answer
