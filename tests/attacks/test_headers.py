"""T-HDR: who the caller is comes from the gateway, never from the caller.

Planted bugs that these tests were seen to fail on: dropping only `x-slauth-` with hyphens; setting
the account header before the client's are copied; leaving `authorization` in; handing on every
header of an app's answer.
"""

from __future__ import annotations

import socket

import pytest

from app_world import DeployedApp

ACCOUNT = "x-slauth-user-context-account-id"
FORGED = "00000000-0000-4000-8000-00000000dead"


@pytest.mark.parametrize(
    "name",
    [
        "X-Slauth-User-Context-Account-Id",
        "x-slauth-user-context-account-id",
        "X_SLAUTH_USER_CONTEXT_ACCOUNT_ID",
        "x_slauth-user_context-account_id",
        "X-Slauth-Principal",
        "x-slauth-subject",
        "X-Sallyport-Account",
        "X-Forwarded-For",
        "X-Forwarded-User",
        "X_Forwarded_Host",
        "Forwarded",
        "X-Real-IP",
        "Cookie",
        "Proxy-Authorization",
    ],
)
def test_a_forged_identity_never_reaches_the_function(echo: DeployedApp, name: str) -> None:
    answer = echo.call("GET", "/open/x", headers={name: FORGED})
    assert answer.status_code == 200, answer.text
    assert FORGED not in answer.text
    member = echo.demo.facts["accounts"]["member"]["account_id"]
    assert answer.json()["headers"][ACCOUNT] == [member]
    assert answer.json()["context"]["accountId"] == member


def test_duplicates_and_connection_do_not_help(echo: DeployedApp) -> None:
    host, _, port = echo.demo.facts["public_url"].removeprefix("http://").partition(":")
    request = (
        f"GET {echo.base_path}/open/x HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Authorization: Bearer {echo.tokens['access_token']}\r\n"
        f"{ACCOUNT}: {FORGED}\r\n{ACCOUNT.upper()}: {FORGED}\r\n"
        f"Connection: close, {ACCOUNT}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request.encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert b" 200 " in answer.split(b"\r\n")[0]
    assert FORGED.encode() not in answer
    assert echo.demo.facts["accounts"]["member"]["account_id"].encode() in answer


def test_the_function_never_sees_the_token(echo: DeployedApp) -> None:
    answer = echo.call("GET", "/open/x")
    assert echo.tokens["access_token"] not in answer.text
    assert "authorization" not in answer.json()["headers"]


def test_two_authorization_headers_are_refused(echo: DeployedApp) -> None:
    host, _, port = echo.demo.facts["public_url"].removeprefix("http://").partition(":")
    line = f"Authorization: Bearer {echo.tokens['access_token']}\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(
            f"GET {echo.base_path}/open/x HTTP/1.1\r\nHost: {host}:{port}\r\n{line}{line}"
            "Connection: close\r\n\r\n".encode()
        )
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert b" 401 " in answer.split(b"\r\n")[0]
    assert b"token_malformed" in answer


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer  two-spaces",
        "Bearer\ttab",
        "Basic YTpi",
        "Bearer a b",
        "Bearer é",
        "Bearer " + "a" * 9000,
    ],
)
def test_a_malformed_authorization_header_is_401_and_never_500(
    echo: DeployedApp, value: str
) -> None:
    answer = echo.call("GET", "/open/x", headers={"Authorization": value.encode("latin-1")})
    assert answer.status_code == 401, answer.text
    assert answer.json()["reason"] in ("token_malformed", "token_invalid")


def test_tokens_in_query_or_body_do_not_count(echo: DeployedApp) -> None:
    token = echo.tokens["access_token"]
    answer = echo.call(
        "POST",
        f"/open/x?access_token={token}",
        data={"access_token": token},
        headers={"Authorization": None},
    )
    assert answer.status_code == 401
    assert answer.json()["reason"] == "token_missing"
    assert "error=" not in answer.headers["www-authenticate"]


def test_a_page_of_an_app_cannot_act_on_the_platforms_origin(echo: DeployedApp) -> None:
    answer = echo.call("GET", "/page")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers.get_list("content-security-policy") == ["default-src 'none'; sandbox"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-own"] == "kept"
    assert "forged" not in str(answer.headers.multi_items())
