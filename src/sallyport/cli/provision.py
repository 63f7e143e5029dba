"""The demo's steps: everything that a newcomer, a developer, an admin and an integrator would do.

All of it over HTTP, as they would. What comes out is kept in `demo.json`, so that a second start
on the same folder goes on from there.
"""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import httpx

from sallyport.cli.browser import Browser
from sallyport.cli.demo_state import ENVIRONMENT, PRODUCT, Demo, answer_of
from sallyport.cli.failures import Failed
from sallyport.manifest.pack import pack
from sallyport.manifest.write import with_app_id

ROLES = ("developer", "admin", "member", "outsider")
REDIRECT_URI = "http://localhost:9876/callback"
SCOPES = ("read:employee:custom", "write:employee:custom")


def example_folder() -> Path:
    """The example app: in a checkout, or as it was installed with the package."""
    here = Path(__file__).resolve().parents[1]
    for folder in (here / "examples", here.parents[1] / "examples"):
        if (folder / "employee-directory" / "manifest.yml").exists():
            return folder / "employee-directory"
    raise Failed("The example app is not part of this installation of Sallyport.")


async def claim_platform(demo: Demo) -> None:
    """Become the operator by the one-time link."""
    if demo.setup_link is None:
        return
    token = parse_qs(urlsplit(demo.setup_link).query)["token"][0]
    operator = {"email": "operator@sallyport.example", "password": _password()}
    async with httpx.AsyncClient(timeout=60) as http:
        answer = await http.post(
            f"{demo.url}/api/v1/setup", json={**operator, "token": token, "name": "Olga Operator"}
        )
    made = answer_of(answer)
    demo.state["operator"] = {**operator, **made}


async def provision_customer(demo: Demo) -> None:
    """An organization with one site, and four people."""
    organization = await demo.call(
        "operator", "POST", "/operator/organizations", json={"name": "Acme"}
    )
    site = await demo.call(
        "operator",
        "POST",
        "/operator/sites",
        json={
            "organization_id": organization["id"],
            "host": _site_host(),
            "name": "Acme",
            "products": ["jira", "confluence"],
        },
    )
    demo.state["site"] = {"site_id": site["site_id"], "host": site["host"]}
    people = {
        "developer": "Dana Brook",
        "admin": "Ada Keller",
        "member": "Mara Lind",
        "outsider": "Otto Out",
    }
    demo.state["accounts"] = {}
    for role in ROLES:
        demo.state["accounts"][role] = await _person(demo, role, people[role])
    for role, part in (("developer", "member"), ("admin", "admin"), ("member", "member")):
        await demo.call(
            "operator",
            "PUT",
            f"/operator/sites/{site['site_id']}/members/"
            f"{demo.state['accounts'][role]['account_id']}",
            json={"role": part},
        )


async def _person(demo: Demo, role: str, name: str) -> dict[str, str]:
    given = {"email": f"{role}@acme.example", "password": _password()}
    account = await demo.call(
        "operator", "POST", "/operator/accounts", json={**given, "name": name}
    )
    token = await demo.call(
        "operator",
        "POST",
        f"/operator/accounts/{account['account_id']}/api-tokens",
        json={"label": "demo"},
    )
    return {**given, "account_id": account["account_id"], "api_token": token["token"]}


async def register_app(demo: Demo) -> None:
    """The example app, with its id in its manifest and its scopes registered."""
    app = await demo.call("developer", "POST", "/apps", json={"name": "Employee Directory"})
    demo.state["app_id"] = app["app_id"]
    demo.state["environment_id"] = next(
        each["environment_id"] for each in app["environments"] if each["key"] == ENVIRONMENT
    )
    shutil.rmtree(demo.app_folder, ignore_errors=True)
    shutil.copytree(example_folder(), demo.app_folder, ignore=shutil.ignore_patterns("__pycache__"))
    manifest = demo.app_folder / "manifest.yml"
    manifest.write_bytes(with_app_id(manifest.read_bytes(), app["ari"]))
    await demo.call("developer", "POST", _environment(demo, "custom-scopes"), json=_scopes(demo))


async def deploy_app(demo: Demo) -> None:
    """The code and the manifest, as version 1.1."""
    await demo.call(
        "developer",
        "POST",
        _environment(demo, "deployments"),
        content=pack(demo.app_folder),
        headers={"Content-Type": "application/zip"},
    )


async def install_app(demo: Demo) -> None:
    """On the site, by its admin."""
    await demo.call(
        "admin",
        "POST",
        "/installations",
        json={
            "app_id": demo.state["app_id"],
            "environment": ENVIRONMENT,
            "site": demo.state["site"]["site_id"],
            "product": PRODUCT,
        },
    )


async def turn_on(demo: Demo) -> None:
    """REST APIs, by the site's admin."""
    await demo.call(
        "admin",
        "PUT",
        f"/admin/sites/{demo.state['site']['site_id']}/apps/{demo.state['app_id']}"
        f"/environments/{ENVIRONMENT}/rest-apis",
        json={"enabled": True},
    )


async def create_integration(demo: Demo) -> None:
    """An OAuth client, by the developer, who is a member of the site."""
    made = await demo.call(
        "developer",
        "POST",
        "/integrations",
        json={
            "name": "HR Sync",
            "redirect_uris": [REDIRECT_URI],
            "forge_compatible": True,
            "link": {
                "site": demo.state["site"]["site_id"],
                "app_id": demo.state["app_id"],
                "environment": ENVIRONMENT,
                "scopes": list(SCOPES),
                "product_scopes": [f"read:forge-app:{PRODUCT}"],
            },
        },
    )
    demo.state["client_id"] = made["client_id"]
    demo.state["client_secret"] = made["client_secret"]
    demo.state["authorization_url"] = made["links"][0]["authorization_url"]


async def get_consent(demo: Demo) -> None:
    """From the member, in a browser's way; then the code becomes tokens."""
    member = demo.state["accounts"]["member"]
    fresh = await demo.call("developer", "GET", f"/integrations/{demo.state['client_id']}")
    url = fresh["links"][0]["authorization_url"]
    async with Browser(demo.url) as browser:
        await browser.sign_in(member["email"], member["password"])
        code = await browser.consent(url, demo.state["site"]["site_id"])
    await _exchange(demo, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI)


async def renew_tokens(demo: Demo) -> None:
    """A second start: the refresh token gives new tokens; if it is over, ask for consent again."""
    try:
        await _exchange(demo, grant_type="refresh_token", refresh_token=demo.state["refresh_token"])
    except Failed:
        await get_consent(demo)


async def _exchange(demo: Demo, **grant: str) -> None:
    client = {name: demo.state[name] for name in ("client_id", "client_secret")}
    async with httpx.AsyncClient(timeout=60) as http:
        answer = await http.post(f"{demo.url}/oauth/token", json={**client, **grant})
    tokens = answer_of(answer)
    demo.state["access_token"] = tokens["access_token"]
    demo.state["refresh_token"] = tokens.get("refresh_token", demo.state.get("refresh_token"))
    # A spent refresh token that is lost with its successor would end the demo's consent.
    demo.save()


Step = Callable[[Demo], Awaitable[None]]

FIRST_START: tuple[tuple[str, Step], ...] = (
    ("Claim the platform as its operator", claim_platform),
    ("Make the site Acme and four people", provision_customer),
    ("Register the app and its scopes", register_app),
    ("Deploy the app", deploy_app),
    ("Install it on the site", install_app),
    ("Turn its REST APIs on", turn_on),
    ("Create the integration HR Sync", create_integration),
    ("Get consent and a token", get_consent),
)
NEXT_START: tuple[tuple[str, Step], ...] = (("Renew the token", renew_tokens),)


class Shown(Protocol):
    """Hears of each step as it begins and ends."""

    def begin(self, title: str) -> None: ...

    def end(self) -> None: ...


async def provision(demo: Demo, shown: Shown) -> None:
    """Take the steps that this folder still needs.

    Raises `Failed` where the folder belongs to a platform that is no demo.
    """
    demo.load()
    started = "refresh_token" in demo.state
    if demo.setup_link is None and not started:
        raise Failed(
            f"{demo.folder} holds a platform that is not a finished demo.",
            fix="Choose another folder with --data, or delete this one.",
        )
    for title, step in NEXT_START if started else FIRST_START:
        shown.begin(title)
        await step(demo)
        shown.end()
    demo.save()


def report(demo: Demo) -> dict[str, Any]:
    """What `--json` prints."""
    state = demo.state
    return {
        "public_url": demo.url,
        "site_url": demo.site_url,
        "cloud_id": state["site"]["site_id"],
        "product": PRODUCT,
        "app_id": state["app_id"],
        "environment_id": state["environment_id"],
        "base_url": demo.base_url,
        "client_id": state["client_id"],
        "client_secret": state["client_secret"],
        "redirect_uri": REDIRECT_URI,
        "access_token": state["access_token"],
        "refresh_token": state["refresh_token"],
        "accounts": {role: state["accounts"][role] for role in ROLES},
    }


def _environment(demo: Demo, noun: str) -> str:
    return f"/apps/{demo.state['app_id']}/environments/{ENVIRONMENT}/{noun}"


def _scopes(demo: Demo) -> dict[str, Any]:
    from sallyport.manifest.load import read_custom_scopes

    read = read_custom_scopes((demo.app_folder / "custom-scopes.yaml").read_bytes())
    if read.scopes is None:
        raise Failed("The example app's custom-scopes.yaml is not valid.")
    return {
        "scopes": [
            {
                "name": each.name,
                "description": each.description,
                **({"display_name": each.display_name} if each.display_name else {}),
            }
            for each in read.scopes
        ]
    }


def _site_host() -> str:
    # Browsers know every name under localhost; some resolvers know only localhost itself.
    try:
        socket.getaddrinfo("acme.localhost", 80)
    except OSError:
        return "127.0.0.1"
    return "acme.localhost"


def _password() -> str:
    return secrets.token_urlsafe(12)
