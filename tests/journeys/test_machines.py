"""A machine calls an app for itself: made by the site's admin, on the command line alone."""

from __future__ import annotations

import httpx

from demo_world import Demo


def test_from_the_command_line_to_the_app_and_out_again(demo: Demo) -> None:
    admin, facts = demo.person("admin"), demo.facts
    where = ("--app", facts["app_id"], "-e", "development", "-s", facts["cloud_id"])
    made = admin.json(
        "service-accounts", "create", "Payroll", *where, "--scope", "read:employee:custom"
    )
    credentials = (made["client_id"], made["client_secret"])

    def token() -> httpx.Response:
        return httpx.post(
            facts["public_url"] + "/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=credentials,
        )

    first = token()
    assert first.status_code == 200, first.text
    bearer = first.json()["access_token"]
    answer = demo.call("GET", "/getEmployeeName?id=1234", token=bearer)
    assert answer.status_code == 200, answer.text

    out = admin.cli("service-accounts", "list", "-s", facts["cloud_id"])
    assert "Payroll" in out
    assert credentials[1] not in out
    admin.cli("service-accounts", "revoke", made["client_id"], "-s", facts["cloud_id"], "--yes")
    refused = demo.call("GET", "/getEmployeeName?id=1234", token=bearer)
    assert refused.status_code == 401
    assert refused.json()["reason"] in ("grant_revoked", "integration_revoked")
    assert token().json()["error"] == "invalid_client"
