"""RFC 9457, problem documents: how calls and the control API are refused.

Planted bugs that these tests were seen to fail on: `application/json`; `status` as text, or another
than the answer's; no `type`, or one for all; the detail as title; the framework's own answers to
bad input and unknown paths; a request that cannot be read refused in plain text; a refusal of the
token endpoint as a problem.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app_world import DeployedApp
from raw_line import Line

CALLS: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/open/x", {"headers": {"Authorization": None}}, 401),
    ("GET", "/nowhere/at/all", {}, 404),
    ("DELETE", "/open/x", {}, 405),
    ("GET", "/open//x", {}, 400),
]


def is_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["type"].startswith("https://")
    assert told["type"].endswith("/" + told["reason"].lower().replace("_", "-"))
    assert told["title"]
    assert told["detail"]
    assert told["title"] != told["detail"], "a title is the same each time"


@pytest.mark.parametrize(("method", "path", "request_", "status"), CALLS)
def test_section_3_1_a_refused_call_is_a_problem_with_every_member(
    echo: DeployedApp, method: str, path: str, request_: dict[str, Any], status: int
) -> None:
    """Section 3.1: type, title, status, detail; section 3.2: members of our own beside them."""
    is_problem(echo.call(method, path, **request_), status)


def test_section_3_1_so_is_a_refusal_of_the_control_api(echo: DeployedApp) -> None:
    url = f"{echo.demo.facts['public_url']}/api/v1/integrations"
    is_problem(httpx.get(url), 401)
    developer = echo.demo.person("developer")
    is_problem(developer.api("GET", "/integrations/unknown"), 404)
    is_problem(developer.api("POST", "/integrations", json={}), 422)
    is_problem(developer.api("PUT", "/integrations"), 405)
    is_problem(developer.api("GET", "/nowhere"), 404)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nowhere", 404), ("/_edge/tenant_info", 404), ("/oauth/token/accessible-resources", 401)],
)
def test_section_3_1_so_is_what_any_other_address_refuses(
    echo: DeployedApp, path: str, status: int
) -> None:
    url = f"{echo.demo.facts['public_url']}{path}"
    is_problem(httpx.get(url, headers={"Host": "elsewhere.test"}), status)


def test_section_3_1_so_is_a_request_that_cannot_be_read(echo: DeployedApp) -> None:
    with Line(echo) as line:
        line.send(f"GET {echo.base_path}/open/x HTTP/1.1\r\n\r\n".encode())
        status, headers, body = line.reply()
    is_problem(httpx.Response(status, headers=headers, content=body), 400)


def test_section_1_oauth_endpoints_answer_as_oauth_says(echo: DeployedApp) -> None:
    """RFC 6749 section 5.2 has its own JSON, which clients of it read."""
    answer = httpx.post(f"{echo.demo.facts['public_url']}/oauth/token", data={"grant_type": "x"})
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json().keys() == {"error", "error_description"}
