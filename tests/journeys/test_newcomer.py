"""From an empty folder to a refused call: the main job, over HTTP, the command line and a browser.

One long test: each step needs what the one before it made, as it does for people.
"""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from demo_world import SALLYPORT, Person, running
from oauth_world import pkce

PASSWORD = "a long enough password"
SITE = "customer.example"


@dataclass(slots=True)
class Callback:
    """The integrator's side: an address that the browser comes back to."""

    url: str
    queries: list[dict[str, list[str]]] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Callback]:
    made = Callback("")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/callback"):  # browsers also ask for an icon
                made.queries.append(parse_qs(urlsplit(self.path).query))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>Back at the integrator</h1>")

        def log_message(self, *_arguments: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://localhost:{server.server_address[1]}/callback"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def claim(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("name", exact=False).first.fill("Olga Operator")
    page.get_by_label("Email").fill("operator@platform.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the operator account").click()


def cli_sign_in(home: Path, url: str, email: str, password: str) -> Person:
    """`sallyport login`; the API token that it stored."""
    home.mkdir()
    done = subprocess.run(
        [SALLYPORT, "login", "--url", url, "-u", email, "--password-stdin", "--non-interactive"],
        input=password,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    stored = json.loads((home / ".config/sallyport/credentials.json").read_text())
    assert (home / ".config/sallyport/credentials.json").stat().st_mode & 0o077 == 0
    token = next(_find(stored, "api_token"))
    return Person(url, email, token, home)


def _find(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from _find(inner, key)


def test_the_main_job(tmp_path: Path, page: Page) -> None:
    with (
        listening() as callback,
        running(
            "up", "--port", "0", "--admin-port", "0", "--data", str(tmp_path / "data")
        ) as command,
    ):
        url = command.line(r"listens on (http://\S+)")[1]
        health = command.line(r"metrics on (http://\S+)")[1]
        link = command.line(r"^\s+(http://\S+/setup\?token=\S+)")[1]

        # Nothing works before there is an operator; then the link works once.
        assert httpx.get(f"{url}/api/v1/me").status_code == 503
        assert httpx.get(f"{url}/svc/jira/x/apps/y/z").status_code == 503
        assert httpx.get(f"{health}/readyz").status_code == 200
        claim(page, link)
        again = httpx.post(
            f"{url}/api/v1/setup",
            json={
                "token": parse_qs(urlsplit(link).query)["token"][0],
                "email": "thief@example.com",
                "name": "Thief",
                "password": PASSWORD,
            },
        )
        assert again.status_code in (401, 403, 404, 409), again.text
        operator = cli_sign_in(tmp_path / "operator", url, "operator@platform.example", PASSWORD)

        people = provision(operator, tmp_path)
        folder, app_id = build(people["developer"], tmp_path)
        integrate_and_call(people, folder, app_id, callback, page)
        assert "sallyport_calls_total" in httpx.get(f"{health}/metrics").text


def provision(operator: Person, tmp_path: Path) -> dict[str, Person]:
    """A customer with a site, a developer, an admin and a member."""
    organization = operator.json("operator", "organizations", "create", "Customer")
    operator.cli(
        *("operator", "sites", "create", SITE, "--organization", organization["id"]),
        *("--name", "Customer", "-p", "jira", "-p", "confluence"),
    )
    people = {}
    for name, role in (("developer", "member"), ("admin", "admin"), ("member", "member")):
        email = f"{name}@customer.example"
        made = operator.json("operator", "accounts", "create", email, "--name", name.title())
        operator.cli("operator", "members", "set", email, "-s", SITE, "--role", role)
        people[name] = cli_sign_in(tmp_path / name, operator.url, email, made["password"])
    (tmp_path / "member" / "password").write_text(made["password"])
    assert "Logged in as Developer" in people["developer"].cli("whoami")
    refused = people["developer"].cli("operator", "organizations", "list", expect=4)
    assert "operator" in refused
    assert "Traceback" not in refused
    return people


def build(developer: Person, tmp_path: Path) -> tuple[Path, str]:
    """An app from the template: created, registered, linted, its scopes registered, deployed."""
    developer.cli("create", "Notes", "-d", "notes")
    folder = developer.home / "notes"
    manifest = (folder / "manifest.yml").read_text()
    assert "# A function: `index.list_notes`" in manifest
    app_id = manifest.partition("ari:cloud:ecosystem::app/")[2].split()[0]
    developer.cli("lint", cwd=folder)
    refused = developer.cli("deploy", "--non-interactive", cwd=folder, expect=1)
    assert "Deployment failed due to missing scopes" in refused
    said = developer.cli("custom-scopes", "create", "-f", "custom-scopes.yaml", cwd=folder)
    assert "✔ Successfully submitted custom scopes for creation" in said
    listed = developer.json("custom-scopes", "list", cwd=folder)
    assert {each["name"] for each in listed} == {"read:note:custom", "write:note:custom"}
    said = developer.cli("deploy", "--non-interactive", cwd=folder)
    assert "1.1" in said
    versions = developer.json("deploy", "list", cwd=folder)
    assert [each["version"] for each in versions] == ["1.1"]
    return folder, app_id


def integrate_and_call(
    people: dict[str, Person], folder: Path, app_id: str, callback: Callback, page: Page
) -> None:
    developer, admin, member = people["developer"], people["admin"], people["member"]
    where = ("-s", SITE, "--app", app_id)
    refused = developer.cli("install", *where, "-p", "jira", "--non-interactive", expect=4)
    assert "admin" in refused
    admin.cli("install", *where, "-p", "jira", "--non-interactive", "--confirm-scopes")

    integration = developer.json(
        *("integrations", "create", "Exporter", "--redirect-uri", callback.url, "-s", SITE),
        *("--scope", "read:note:custom", "--scope", "write:note:custom"),
        cwd=folder,
    )
    link = integration["links"][0]
    for parameter in ("audience=", "sns=", "scope=", "offline_access", "state=", "prompt=consent"):
        assert parameter in link["authorization_url"]

    tokens = consent_in_browser(page, link["authorization_url"], member, integration, callback)
    namespace = f"{app_id}.{link['environment_id']}:"
    assert tokens["expires_in"] == 3600
    assert set(tokens["scope"].split()) == {
        namespace + "read:note:custom",
        namespace + "write:note:custom",
        "offline_access",
        "read:forge-app:jira",
    }
    resources = httpx.get(
        f"{developer.url}/oauth/token/accessible-resources",
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    ).json()
    assert [each["id"] for each in resources] == [link["site_id"]]

    by_cloud_id = (
        f"{developer.url}/svc/jira/{link['site_id']}/apps/{app_id}_{link['environment_id']}"
    )
    by_host = f"{developer.url}/gateway/api/svc/jira/apps/{app_id}_{link['environment_id']}"

    def call(method: str, base: str, token: str, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", "Host": SITE if base == by_host else ""}
        return httpx.request(
            method,
            f"{base}/notes/first",
            headers={name: value for name, value in headers.items() if value},
            timeout=30,
            **request,
        )

    # Off until the admin turns it on; the refusal says so, and `why` repeats it.
    refused_call = call("GET", by_cloud_id, tokens["access_token"])
    assert refused_call.status_code == 403
    problem = refused_call.json()
    assert problem["reason"] == "rest_apis_off"
    why = member.cli("why", problem["decision_id"])
    assert "✓ token" in why
    assert "✗ switch" in why
    said = admin.cli("admin", "rest-apis", "enable", *where)
    assert by_cloud_id in said

    body = {"json": {"text": "hello"}}
    assert call("PUT", by_cloud_id, tokens["access_token"], **body).status_code < 300
    for base in (by_cloud_id, by_host):
        answer = call("GET", base, tokens["access_token"])
        assert answer.status_code == 200, answer.text
        assert "hello" in answer.text

    # JSON and form, refresh, and the old token's successor is one.
    refreshed = httpx.post(
        f"{developer.url}/oauth/token",
        json={
            "grant_type": "refresh_token",
            "client_id": integration["client_id"],
            "client_secret": integration["client_secret"],
            "refresh_token": tokens["refresh_token"],
        },
    )
    assert refreshed.status_code == 200, refreshed.text
    assert call("GET", by_cloud_id, refreshed.json()["access_token"]).status_code == 200

    # A new version with another route reaches the installation by itself.
    manifest = folder / "manifest.yml"
    manifest.write_text(manifest.read_text().replace("path: /notes/{id}", "path: /notes/{note}", 1))
    source = folder / "src" / "index.py"
    source.write_text(
        source.read_text().replace('path_parameters["id"]', 'path_parameters["note"]')
    )
    manifest.write_text(manifest.read_text().replace("/notes/{id}", "/notes/{note}"))
    assert "1.2" in developer.cli("deploy", "--non-interactive", cwd=folder)
    assert call("GET", by_cloud_id, tokens["access_token"]).status_code == 200

    # Off blocks the next call, on both forms, with the right reason.
    admin.cli("admin", "rest-apis", "disable", *where)
    for base in (by_cloud_id, by_host):
        refused_call = call("GET", base, tokens["access_token"])
        assert (refused_call.status_code, refused_call.json()["reason"]) == (403, "rest_apis_off")
    events = {each["event"] for each in admin.json("admin", "audit", "-s", SITE)}
    assert {"rest-apis:enabled", "rest-apis:disabled", "installation:created"} <= events


def consent_in_browser(
    page: Page,
    authorization_url: str,
    member: Person,
    integration: dict[str, Any],
    callback: Callback,
) -> dict[str, Any]:
    """Sign in, look at what is asked, allow; exchange the code by form, with PKCE."""
    verifier, challenge = pkce()
    url = httpx.URL(authorization_url).copy_merge_params(
        {"state": "bound-to-this-browser", "code_challenge": challenge}
    )
    page.context.clear_cookies()
    page.goto(str(url))
    page.get_by_label("Email").fill(member.email)
    page.get_by_label("Password").fill((member.home / "password").read_text())
    page.get_by_role("button", name="Sign in").click()
    shown = page.inner_text("body")
    for text in ("Exporter", SITE, "/notes", "GET", "PUT", "localhost", member.email):
        assert text in shown, shown
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(callback.url + "*")
    query = callback.queries[-1]
    assert query["state"] == ["bound-to-this-browser"]
    assert query["iss"] == [member.url]
    exchange = {
        "grant_type": "authorization_code",
        "client_id": integration["client_id"],
        "client_secret": integration["client_secret"],
        "code": query["code"][0],
        "redirect_uri": callback.url,
        "code_verifier": verifier,
    }
    answer = httpx.post(f"{member.url}/oauth/token", data=exchange)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made: dict[str, Any] = answer.json()
    return made
