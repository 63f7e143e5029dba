"""The switch, integrations and refused calls."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import httpx
import pytest
from cli_world import Running, Terminal, app_id
from joserfc.jwk import ECKey


def test_the_switch(installed: Terminal, site_admin: Terminal, site: str) -> None:
    where = ("--site", site, "--app", app_id(installed), "-e", "development")
    out = site_admin.out("admin", "rest-apis", "disable", *where)
    assert out == f"✔ REST APIs are off for development on {site}; the next call is refused\n"
    assert "REST APIs  off" in site_admin.out("admin", "rest-apis", "status", *where)
    out = site_admin.out("admin", "rest-apis", "enable", *where)
    lines = out.splitlines()
    assert lines[0] == f"✔ REST APIs are on for development on {site}"
    urls = [line.removeprefix("Base URL: ") for line in lines[1:]]
    assert len(urls) == 2
    assert all(f"/apps/{app_id(installed)}_" in url for url in urls)
    status = site_admin.json("admin", "rest-apis", "status", *where)
    assert status["enabled"] is True
    assert status["base_urls"] == urls
    email = site_admin.variables["SALLYPORT_EMAIL"]
    assert email in site_admin.out("admin", "rest-apis", "status", *where)
    installed.refusal("admin", "rest-apis", "disable", *where, exit_code=4)


def test_what_an_admin_sees(installed: Terminal, site_admin: Terminal, site: str) -> None:
    assert "Note Board" in site_admin.out("admin", "apps", "-s", site)
    out = site_admin.out("admin", "apps", "-s", site, "--routes")
    assert re.search(r"PUT +/notes/\{id\} +write:note:custom", out)
    events = [each["event"] for each in site_admin.json("admin", "audit", "--site", site)]
    assert "rest-apis:enabled" in events
    assert "rest-apis:enabled" in site_admin.out("admin", "audit", "--site", site, "-n", "20")
    assert site_admin.json("admin", "grants", "list", "-s", site) == []
    assert site_admin.json("admin", "grants", "-s", site) == []
    assert "consented to nothing" in installed.out("grants", "list")


def test_an_integration(installed: Terminal, site: str) -> None:
    redirect = ("--redirect-uri", "http://localhost:9876/callback")
    done = installed.run(
        *("integrations", "create", "Reports", *redirect, "-s", site),
        *("--scope", "read:note:custom"),
    )
    shown = dict(re.findall(r"^(\S[\w ]*?)  +(\S+)$", done.stdout, re.MULTILINE))
    assert shown["Client secret"].startswith("spcs_")
    assert "not shown again" in done.stderr
    client = shown["Client id"]
    found = installed.json("integrations", "show", client)
    assert "client_secret" not in found
    [link] = found["links"]
    assert link["scopes"] == ["read:note:custom"]
    assert link["product_scopes"] == ["read:forge-app:jira"]
    assert httpx.URL(link["authorization_url"]).params["sns"] == (
        f"{app_id(installed)}.{link['environment_id']}"
    )
    assert client in installed.out("integrations", "list")
    assert [each["client_id"] for each in installed.json("integrations", "list")] == [client]

    scopes = ("--scope", "read:note:custom", "--scope", "write:note:custom")
    optional = ("--optional-scope", "write:note:custom")
    installed.run("integrations", "link", client, "-s", site, *scopes, *optional)
    [link] = installed.json("integrations", "show", client)["links"]
    assert link["optional_scopes"] == ["write:note:custom"]
    assert re.search(r"Optional +write:note:custom", installed.out("integrations", "show", client))
    assert sorted(link["scopes"]) == ["read:note:custom", "write:note:custom"]

    secret = installed.out("integrations", "rotate-secret", client).strip()
    assert re.fullmatch(r"spcs_\S+", secret)
    installed.run("integrations", "rotate-secret", client, "--end-previous")

    assert "bearer or DPoP" in installed.out("integrations", "show", client)
    rules = ("--require-dpop", "--require-par")
    changed = installed.out("integrations", "change", client, "--name", "N", *rules)
    assert "Changed the integration N" in changed
    assert "bound to a key" in changed
    assert "pushed (PAR)" in changed
    kept = installed.json("integrations", "change", client)
    assert (kept["require_dpop"], kept["require_par"]) == (True, True)
    installed.run("integrations", "change", client, "--no-require-dpop", "--no-require-par")
    shown = installed.json("integrations", "show", client)
    assert (shown["require_dpop"], shown["require_par"]) == (False, False)

    installed.run("integrations", "delete", client)
    assert installed.json("integrations", "list") == []
    installed.refusal("integrations", "show", client)


def test_an_integration_with_keys(installed: Terminal, site: str, tmp_path: Path) -> None:
    key = ECKey.generate_key("P-256", {"kid": "k1"})
    other = ECKey.generate_key("P-256", {"kid": "k2"})
    one, two, wrong = (tmp_path / name for name in ("one.json", "two.json", "wrong.json"))
    one.write_text(json.dumps(key.as_dict(private=False)))
    both = [each.as_dict(private=False) for each in (key, other)]
    two.write_text(json.dumps({"keys": both}))
    wrong.write_text("x")
    made = installed.json(
        *("integrations", "create", "Signer", "--redirect-uri", "http://localhost:9876/callback"),
        *("-s", site, "--scope", "read:note:custom", "--jwks", str(one)),
    )
    assert "client_secret" not in made
    client = made["client_id"]
    said = installed.out("integrations", "set-keys", client, "--jwks", str(two))
    assert "k1 (ES256), k2 (ES256)" in said
    assert "k1 (ES256)" in installed.out("integrations", "show", client)
    installed.refusal("integrations", "rotate-secret", client)
    installed.refusal("integrations", "set-keys", client, exit_code=2)
    installed.refusal("integrations", "set-keys", client, "--jwks", str(wrong), exit_code=2)
    installed.run("integrations", "set-keys", client, "--none")
    assert installed.json("integrations", "show", client)["keys"] == []
    installed.run("integrations", "delete", client)


def test_an_integration_for_a_scope_that_is_not_there(installed: Terminal, site: str) -> None:
    said = installed.refusal(
        *("integrations", "create", "Reports", "-s", site),
        *("--redirect-uri", "http://localhost:9876/callback", "--scope", "read:salary:custom"),
    )
    assert "read:salary:custom" in said
    installed.refusal("integrations", "create", "Reports", exit_code=2)


@pytest.fixture(scope="session")
def refused_call(installed: Terminal, site_admin: Terminal, site: str) -> str:
    """The decision id of a call without a token."""
    where = ("-s", site, "--app", app_id(installed))
    status = site_admin.json("admin", "rest-apis", "status", *where)
    answer = httpx.get(f"{status['base_urls'][0]}/notes", trust_env=False)
    assert answer.status_code == 401
    decision: str = answer.json()["decision_id"]
    deadline = time.monotonic() + 10
    while decision not in str(site_admin.json("admin", "decisions", "-s", site)):
        assert time.monotonic() < deadline
    return decision


def test_why_a_call_was_refused(refused_call: str, site_admin: Terminal, site: str) -> None:
    lines = site_admin.out("why", refused_call).splitlines()
    assert lines[0] == (
        "✓ path  ✓ site  ✓ route  ✗ token  · switch  · grant  · scopes  · limits"
        "  · idempotency  · function"
    )
    assert lines[2].startswith("GET /svc/jira/")
    rows = dict(re.findall(r"^(\w+)  +(.+)$", "\n".join(lines[3:]), re.MULTILINE))
    assert rows["Refused"] == "at token, 401: No access token"
    assert rows["Reason"] == "token_missing"
    assert rows["Fix"]
    assert site_admin.json("why", refused_call)["gate"] == "token"
    assert refused_call in site_admin.out("admin", "decisions", "-s", site, "--refused")


def test_why_is_told_to_those_concerned_only(refused_call: str, running_outsider: Terminal) -> None:
    said = running_outsider.refusal("why", refused_call)
    assert said.startswith("Error: There is no such decision among those that you may see.")


def test_nothing_is_logged_before_a_call(installed: Terminal) -> None:
    assert installed.out("logs", "-s", "5m") == "No log lines match.\n"
    assert installed.json("logs", "-n", "5") == []
    installed.refusal("logs", "-s", "yesterday", exit_code=2)


def test_a_service_account_is_asked_for_and_approved(
    installed: Terminal, site_admin: Terminal, site: str
) -> None:
    nouns = ("service-accounts",)
    asked = installed.json(
        *(*nouns, "request", "Nightly", "-s", site, "--scope", "read:note:custom"),
        *("--note", "For the report"),
    )
    client = asked["client_id"]
    assert re.search(r"Nightly +pending", installed.out(*nouns, "requests"))
    assert "the request is pending" in installed.refusal(*nouns, "secret", client)
    assert "For the report" in site_admin.out("approvals", "list", "-s", site)
    [request] = site_admin.json("approvals", "list", "-s", site)["items"]
    scopes = ("--approve", "read:note:custom", "--approve", "read:forge-app:jira")
    answer = ("approvals", "answer", request["id"], "-s", site)
    assert "read:note:custom: approved" in site_admin.out(*answer, *scopes)
    assert "approved, take the secret" in installed.out(*nouns, "requests")
    done = installed.run(*nouns, "secret", client)
    assert re.fullmatch(r"spcs_\S+\n", done.stdout)
    assert "not shown again" in done.stderr
    assert "told already" in installed.refusal(*nouns, "secret", client)
    site_admin.run(*nouns, "revoke", client, "-s", site)
    assert installed.json(*nouns, "requests")[0]["state"] == "ended"

    wanted = ("request", "Second", "-s", site, "--scope", "read:note:custom")
    said = installed.out(*nouns, *wanted)
    client = re.findall(r"[0-9a-f-]{36}", said)[0]
    installed.run(*nouns, "withdraw", client)
    assert site_admin.json("approvals", "list", "-s", site)["items"] == []


def test_the_audit_is_narrowed_and_exported(
    running: Running, installed: Terminal, site_admin: Terminal, site: str
) -> None:
    where = ("--site", site, "--app", app_id(installed), "-e", "development")
    site_admin.run("--reason", "A drill — monthly", "admin", "rest-apis", "disable", *where)
    site_admin.run("admin", "rest-apis", "enable", *where)
    audit = ("admin", "audit", "--site", site, "--event", "rest-apis", "--since", "1h")
    newest, before = site_admin.json(*audit, "-n", "2")
    assert (newest["event"], newest["reason"]) == ("rest-apis:enabled", "")
    assert (before["event"], before["reason"]) == ("rest-apis:disabled", "A drill — monthly")
    assert "A drill — monthly" in site_admin.out(*audit, "-n", "2")
    email = site_admin.variables["SALLYPORT_EMAIL"]
    exported = site_admin.run(*audit, "--account", email, "--export", "jsonl", "-n", "2")
    assert [json.loads(line) for line in exported.stdout.splitlines()] == [newest, before]
    assert f"To go on: --before {before['id']}" in exported.stderr
    table = site_admin.run(*audit, "--export", "csv").stdout.splitlines()
    assert table[0].startswith("id,at,event,account_id,")
    assert table[1].startswith(f"{newest['id']},")
    of_app = installed.json("apps", "audit", "--event", "rest-apis:disabled")
    assert of_app[0]["account_email"] is None
    everything = running.operator.json("operator", "audit", "--event", "rest-apis", "-n", "1")
    assert everything == [newest]
    installed.refusal(*audit, "--export", "csv", exit_code=4)
    assert "is no event" in site_admin.refusal(*audit[:-4], "--event", "rest")
    assert "either --site or --organization" in site_admin.refusal("admin", "audit", exit_code=2)
