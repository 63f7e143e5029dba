"""`/oauth/par` (RFC 9126): a client sends its authorization request itself, before the browser.

What is pushed goes through the steps of every authorization request, here and again when the
browser brings the handle. The handle is good once; the browser goes on with one of its own.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sallyport.oauth import client_auth
from sallyport.oauth.asking import KNOWN as ASKED
from sallyport.oauth.asking import REQUEST_URI, Asking, Stop, check
from sallyport.oauth.deps import OAuth
from sallyport.oauth.dpop import nonce_header, proven_key
from sallyport.oauth.errors import INVALID_REQUEST, NO_STORE, OAuthError, error_response
from sallyport.oauth.parameters import Parameters, read_body
from sallyport.store.pushed import push_request
from sallyport.vocab import ids
from sallyport.vocab.clock import SECOND

KNOWN = client_auth.PARAMETERS | ASKED


async def push(oauth: OAuth, request: Request) -> Response:
    """Keep the request for `expires_in` seconds; refusals are those of RFC 6749, in JSON."""
    try:
        parameters = await read_body(request, KNOWN)
        client_id = await client_auth.authenticate_client(oauth, request, parameters)
        jkt = await proven_key(oauth, request)
        asking = Asking(_asked(parameters, client_id, jkt), pushed=True)
        await check(oauth, asking)
    except OAuthError as error:
        return error_response(error)
    except Stop as stop:
        return error_response(OAuthError(stop.error, stop.told))
    handle = ids.new_secret(ids.PUSHED_REQUEST)
    now = oauth.store.clock.now()
    await oauth.store.write(
        push_request,
        client_id,
        ids.digest(handle),
        asking.parameters.pairs(),
        now + oauth.policy.pushed_lifetime,
    )
    told = {
        "request_uri": REQUEST_URI + handle,
        "expires_in": oauth.policy.pushed_lifetime // SECOND,
    }
    headers = NO_STORE if jkt is None else {**NO_STORE, **nonce_header(oauth)}
    return JSONResponse(told, status_code=201, headers=headers)


def _asked(parameters: Parameters, client_id: str, jkt: str | None) -> Parameters:
    """The authorization request alone, without what signs the client in; of this client."""
    if "request_uri" in parameters.sent:
        raise OAuthError(
            INVALID_REQUEST, "A pushed request names no request_uri (RFC 9126 section 2.1)."
        )
    bound_to = parameters.get("dpop_jkt")
    if jkt is not None and bound_to not in (None, jkt):
        raise OAuthError(
            INVALID_REQUEST,
            "dpop_jkt is not the key that the DPoP proof was made with (RFC 9449 section 10.1).",
        )
    fields = {**parameters.all(), "client_id": client_id}
    if jkt is not None:
        fields["dpop_jkt"] = jkt
    return Parameters(fields.items(), ASKED)
