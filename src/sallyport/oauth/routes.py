"""The endpoints and their addresses (design: fixed outside faces)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sallyport.oauth import authorize, introspect, metadata, pushed, resources, revoke, token
from sallyport.oauth.deps import OAuth
from sallyport.oauth.desk import Answer, Desk

Endpoint = Callable[[OAuth, Request], Awaitable[Response]]

ENDPOINTS: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", authorize.PATH, authorize.show),
    ("POST", authorize.PATH, authorize.decide),
    ("GET", metadata.RESOURCES, resources.accessible_resources),
    ("GET", metadata.JWKS, metadata.jwks),
    ("GET", metadata.SERVER, metadata.authorization_server),
    ("GET", metadata.RESOURCE, metadata.protected_resource),
    ("GET", metadata.RESOURCE + "/{resource:path}", metadata.protected_resource),
)

# What clients ask by themselves, and so may be asked by anybody, without end: it is limited.
DESKS: dict[str, Answer] = {
    metadata.PAR: pushed.push,
    metadata.TOKEN: token.exchange_token,
    metadata.REVOKE: revoke.revoke,
    metadata.INTROSPECT: introspect.introspect,
}


def build_desks(oauth: OAuth) -> dict[str, Desk]:
    """What `POST` at a path does, for who answers it without ASGI."""
    return {path: Desk(oauth, answer) for path, answer in DESKS.items()}


def build_routes(oauth: OAuth) -> list[Route]:
    """Every route of the authorization server, to be mounted at the root."""
    return [
        *(
            Route(path, _bound(endpoint, oauth), methods=[method])
            for method, path, endpoint in ENDPOINTS
        ),
        *(
            Route(path, desk.over_asgi, methods=["POST"])
            for path, desk in build_desks(oauth).items()
        ),
    ]


def _bound(endpoint: Endpoint, oauth: OAuth) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await endpoint(oauth, request)

    return answer
