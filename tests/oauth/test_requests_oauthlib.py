"""A client that nobody here wrote (requests-oauthlib) runs the whole flow on a live platform."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from oauthlib.oauth2 import InvalidGrantError, OAuth2Error
from requests_oauthlib import OAuth2Session
from test_node_clients import SCOPE, Way, allow, client_of

from app_world import REDIRECT_URI, DeployedApp


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_requests_oauthlib_runs_the_whole_flow(
    echo: DeployedApp, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The platform under test speaks plain HTTP, and names scopes of the app with its namespace.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_RELAX_TOKEN_SCOPE", "1")
    issuer = echo.demo.facts["public_url"]
    metadata = httpx.get(f"{issuer}/.well-known/oauth-authorization-server").json()
    made = client_of(echo, Way("requests-oauthlib", method))
    client_id, secret = made["client_id"], made["client_secret"]
    in_body = {"include_client_id": method == "client_secret_post", "client_secret": secret}
    with OAuth2Session(
        client_id,
        scope=SCOPE.split(),
        redirect_uri=REDIRECT_URI,
        pkce="S256",
    ) as client:
        url, state = client.authorization_url(metadata["authorization_endpoint"])
        back = asyncio.run(allow(echo, url))
        assert httpx.URL(back).params["state"] == state
        assert httpx.URL(back).params["iss"] == issuer
        token = client.fetch_token(
            metadata["token_endpoint"], authorization_response=back, **in_body
        )
        assert token["token_type"] == "Bearer"
        call = echo.base_url + "/open/x"
        assert client.get(call, timeout=30).status_code == 200
        fresh = client.refresh_token(
            metadata["token_endpoint"], client_id=client_id, client_secret=secret
        )
        assert fresh["refresh_token"] != token["refresh_token"]
        assert client.get(call, timeout=30).status_code == 200
        asked = {"token": fresh["access_token"]}
        introspection = metadata["introspection_endpoint"]
        auth = (client_id, secret)
        assert httpx.post(introspection, data=asked, auth=auth).json()["active"] is True
        ended = client.post(
            metadata["revocation_endpoint"],
            data={"token": fresh["refresh_token"]},
            auth=auth,
            withhold_token=True,
            timeout=30,
        )
        assert ended.status_code == 200
        assert client.get(call, timeout=30).status_code == 401
        assert httpx.post(introspection, data=asked, auth=auth).json() == {"active": False}
        with pytest.raises(InvalidGrantError):
            client.refresh_token(
                metadata["token_endpoint"], client_id=client_id, client_secret=secret
            )


def test_requests_oauthlib_reads_our_errors(
    echo: DeployedApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    url = f"{echo.demo.facts['public_url']}/oauth/token"
    with OAuth2Session(echo.client_id, redirect_uri=REDIRECT_URI) as client:
        with pytest.raises(OAuth2Error, match="invalid_client"):
            client.fetch_token(url, code="x", client_secret="wrong")
