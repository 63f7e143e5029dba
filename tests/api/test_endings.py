"""What ends an installation also stops its workers, after the change is durable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app_folder import READ, manifest, upload

from sallyport.control.environments import delete_environment
from sallyport.control.installations import list_installations, uninstall
from sallyport.model.directory import PLATFORM
from serving import Platform


def installed_on_both_products(platform: Platform, key: str) -> tuple[str, list[str]]:
    """An app with an environment `key` that is installed twice; the app and the installations."""
    client = platform.operator
    made: Any = client.post("/apps", json={"name": "People"}).json()
    app_id: str = made["app_id"]
    if key not in {each["key"] for each in made["environments"]}:
        client.post(f"/apps/{app_id}/environments", json={"key": key})
    environment = f"/apps/{app_id}/environments/{key}"
    scopes = {"scopes": [{"name": READ, "description": "Read"}]}
    client.post(f"{environment}/custom-scopes", json=scopes)
    answer = client.post(
        f"{environment}/deployments",
        content=upload(manifest(app_id)),
        headers={"Content-Type": "application/zip"},
    )
    assert answer.status_code == 201, answer.text
    wanted = {"app_id": app_id, "environment": key, "site": "acme.test"}
    installations = [
        client.post("/installations", json={**wanted, "product": product}).json()
        for product in ("jira", "confluence")
    ]
    return app_id, [each["installation_id"] for each in installations]


def test_uninstalling_and_deleting_an_environment_stop_the_workers(platform: Platform) -> None:
    platform.make_site("acme.test", admins=["olga@operator.test"])
    stopped: list[tuple[str, bool]] = []

    async def stop(installation_id: str) -> None:
        left = await list_installations(services, PLATFORM)
        gone = installation_id not in {each.installation.id for each in left}
        stopped.append((installation_id, gone))

    services = replace(platform.services, stop_installation=stop)
    app_id, (first, second) = installed_on_both_products(platform, "development")
    platform.act(uninstall(services, PLATFORM, first))
    assert stopped == [(first, True)]
    platform.act(uninstall(services, PLATFORM, second))
    assert stopped.pop() == (second, True)
    app_id, both = installed_on_both_products(platform, "qa")
    stopped.clear()
    platform.act(delete_environment(services, PLATFORM, app_id, "qa"))
    assert sorted(stopped) == sorted((each, True) for each in both)
