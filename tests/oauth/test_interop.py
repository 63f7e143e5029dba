"""A client that nobody here wrote (Authlib) runs the whole flow against the live server."""

from __future__ import annotations

import warnings
from typing import Any

# Authlib sets a filter of its own when this is first imported.
import authlib.deprecate
import httpx
import pytest

from access_world import CALLBACK, JIRA
from oauth_world import FULL_SCOPE, Server

with warnings.catch_warnings():
    warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
    from authlib.integrations.base_client import OAuthError
    from authlib.integrations.httpx_client import OAuth2Client


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_consents_exchanges_refreshes_and_revokes(server: Server, method: str) -> None:
    saved: list[dict[str, Any]] = []

    def save(token: dict[str, Any], **_: Any) -> None:
        saved.append(dict(token))

    with OAuth2Client(
        server.world.client_id,
        server.world.secret,
        scope=FULL_SCOPE,
        redirect_uri=CALLBACK,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        code_challenge_method="S256",
        token_endpoint=f"{server.url}/oauth/token",
        update_token=save,
    ) as client:
        verifier = "v" * 48
        url, state = client.create_authorization_url(
            f"{server.url}/authorize",
            code_verifier=verifier,
            audience="api.atlassian.com",
            prompt="consent",
            sns=server.world.namespace,
        )
        asked = dict(httpx.URL(url).params)
        back = server.answer(asked).headers["location"]
        token = client.fetch_token(
            f"{server.url}/oauth/token",
            authorization_response=back,
            state=state,
            code_verifier=verifier,
        )
        assert token["scope"].endswith(f"offline_access {JIRA}")
        resources = f"{server.url}/oauth/token/accessible-resources"
        assert client.get(resources).json()[0]["id"] == server.world.site.id
        before = token["refresh_token"]
        fresh = client.refresh_token(f"{server.url}/oauth/token", refresh_token=before)
        assert fresh["refresh_token"] != before
        assert saved[-1]["access_token"] == fresh["access_token"]
        assert client.get(resources).status_code == 200
        revoked = client.revoke_token(f"{server.url}/oauth/revoke", token=fresh["refresh_token"])
        assert revoked.status_code == 200
        assert client.get(resources).status_code == 401
        with pytest.raises(OAuthError, match="invalid_grant"):
            client.refresh_token(f"{server.url}/oauth/token", refresh_token=fresh["refresh_token"])


def test_authlib_reads_our_errors(server: Server) -> None:
    with OAuth2Client(server.world.client_id, "wrong", redirect_uri=CALLBACK) as client:
        with pytest.raises(OAuthError, match="invalid_client"):
            client.fetch_token(f"{server.url}/oauth/token", code="x")
        with pytest.raises(OAuthError, match="invalid_client"):
            client.refresh_token(f"{server.url}/oauth/token", refresh_token="x")
