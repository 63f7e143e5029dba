"""What consoles are given to show."""

from __future__ import annotations

from app_folder import READ, WRITE, manifest, upload

from sallyport.control.catalog import app_on_site, environment_scopes, installable_apps
from sallyport.model.directory import Actor, SiteRole
from serving import Platform


def test_an_app_on_a_site_is_shown_whole_and_installable_to_its_builders(
    platform: Platform,
) -> None:
    services, client = platform.services, platform.operator
    platform.make_site("acme.test", admins=["olga@operator.test"])
    olga = Actor(client.get("/me").json()["account_id"], "Olga")
    app_id = client.post("/apps", json={"name": "People"}).json()["app_id"]
    staging = f"/apps/{app_id}/environments/staging"
    scopes = [{"name": name, "description": "x"} for name in (WRITE, READ)]
    client.post(f"{staging}/custom-scopes", json={"scopes": scopes})
    assert platform.act(installable_apps(services, olga)) == ()
    client.post(
        f"{staging}/deployments",
        content=upload(manifest(app_id)),
        headers={"Content-Type": "application/zip"},
    )
    (offered,) = platform.act(installable_apps(services, olga))
    assert (offered.title, offered.version) == ("People (STAGING)", "1.1")
    assert platform.act(installable_apps(services, Actor("nobody", "Nobody"))) == ()
    for product in ("jira", "confluence"):
        wanted = {"app_id": app_id, "environment": "staging", "site": "acme.test"}
        made = client.post("/installations", json={**wanted, "product": product})
        assert made.status_code == 201, made.text

    view = platform.act(app_on_site(services, olga, "acme.test", app_id, "staging"))
    assert (view.title, view.role) == ("People (STAGING)", SiteRole.ADMIN)
    assert view.product_scopes == ("read:forge-app:confluence", "read:forge-app:jira")
    products = [each.installed.installation.product for each in view.installations]
    assert products == ["confluence", "jira"]
    for product, each in zip(products, view.installations, strict=True):
        assert f"/svc/{product}/" in each.base_urls[0]
    opened = [(each.scope.name, [r.key for r in each.routes]) for each in view.scopes]
    assert opened == [(READ, ["get-name"]), (WRITE, [])]
    assert platform.act(environment_scopes(services, olga, app_id, "staging")) == view.scopes
