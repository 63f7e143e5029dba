"""What the server says of itself (RFC 8414, RFC 9728): exactly what there is."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sallyport.model.target import read_base_path
from sallyport.oauth import authorize, client_auth
from sallyport.oauth.deps import OAuth
from sallyport.oauth.token import GRANTS
from sallyport.store.directory import site_by_host
from sallyport.tokens.proof import ALGORITHMS

TOKEN = "/oauth/token"
REVOKE = "/oauth/revoke"
PAR = "/oauth/par"
INTROSPECT = "/oauth/introspect"
RESOURCES = "/oauth/token/accessible-resources"
JWKS = "/.well-known/jwks.json"
SERVER = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource"

_CACHED = {"Cache-Control": "public, max-age=300"}


async def authorization_server(oauth: OAuth, _request: Request) -> Response:
    """RFC 8414 section 2."""
    return JSONResponse(server_document(oauth), headers=_CACHED)


async def jwks(oauth: OAuth, _request: Request) -> Response:
    """The keys that verify access tokens (RFC 7517)."""
    return JSONResponse(oauth.keys.ring.jwks(), headers=_CACHED)


async def protected_resource(oauth: OAuth, request: Request) -> Response:
    """RFC 9728 section 3: of the platform, or of one app's API, whose base URL is in the path."""
    path = "/" + request.path_params.get("resource", "")
    resource = await _resource(oauth, request, "" if path == "/" else path)
    if resource is None:
        return JSONResponse({"error": "not_found"}, status_code=404)
    document = {
        "resource": resource,
        "authorization_servers": [oauth.issuer],
        "jwks_uri": oauth.issuer + JWKS,
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_bound_access_tokens_required": False,
    }
    return JSONResponse(document, headers=_CACHED)


def server_document(oauth: OAuth) -> dict[str, Any]:
    """The authorization server's metadata."""
    algorithms = list(client_auth.ASSERTION_ALGORITHMS)
    return {
        "issuer": oauth.issuer,
        "authorization_endpoint": oauth.issuer + authorize.PATH,
        "token_endpoint": oauth.issuer + TOKEN,
        "revocation_endpoint": oauth.issuer + REVOKE,
        "pushed_authorization_request_endpoint": oauth.issuer + PAR,
        "require_pushed_authorization_requests": False,
        "jwks_uri": oauth.issuer + JWKS,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANTS),
        "token_endpoint_auth_methods_supported": list(client_auth.METHODS),
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": list(client_auth.METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint": oauth.issuer + INTROSPECT,
        "introspection_endpoint_auth_methods_supported": list(client_auth.CONFIDENTIAL_METHODS),
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "authorization_response_iss_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


async def _resource(oauth: OAuth, request: Request, path: str) -> str | None:
    """The resource identifier, if `path` is the shape of one. Says nothing of what is installed."""
    named = read_base_path(path)
    if path == "" or (named is not None and named.site_id is not None):
        return oauth.issuer + path
    if named is not None:
        host = (request.url.hostname or "").lower()
        site = await oauth.store.read(site_by_host, host)
        return oauth.site_url(site) + path if site is not None else None
    return None
