"""`/oauth/par` (RFC 9126): a client sends its authorization request itself, before the browser.

What is pushed goes through the steps of every authorization request, here and again when the
browser brings the handle. The handle is good once; the browser goes on with one of its own.
"""

from __future__ import annotations

from sallyport.oauth import client_auth
from sallyport.oauth.asking import KNOWN as ASKED
from sallyport.oauth.asking import REQUEST_URI, Asking, Stop, check
from sallyport.oauth.deps import OAuth
from sallyport.oauth.dpop import nonce_header, proven_key
from sallyport.oauth.errors import INVALID_REQUEST, OAuthError, error_reply, json_reply
from sallyport.oauth.parameters import Parameters, read_body
from sallyport.store.pushed import push_request
from sallyport.vocab import ids
from sallyport.vocab.clock import SECOND
from sallyport.vocab.message import Asked, Reply

KNOWN = client_auth.PARAMETERS | ASKED


async def push(oauth: OAuth, asked: Asked, body: bytes | None) -> Reply:
    """Keep the request for `expires_in` seconds; refusals are those of RFC 6749, in JSON."""
    try:
        parameters = read_body(asked, body, KNOWN)
        client_id = await client_auth.authenticate_client(oauth, asked, parameters)
        jkt = await proven_key(oauth, asked)
        asking = Asking(_asked(parameters, client_id, jkt), pushed=True)
        await check(oauth, asking)
    except OAuthError as error:
        return error_reply(error)
    except Stop as stop:
        return error_reply(OAuthError(stop.error, stop.told))
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
    return json_reply(told, () if jkt is None else nonce_header(oauth), status=201)


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
