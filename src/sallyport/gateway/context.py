"""The context of a call: who calls, where, by which module; contract section (l.5).

All of it is the platform's own knowledge; docs/reference/functions.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sallyport.model.manifest import Manifest
from sallyport.model.registry import App, Environment, Installation, Version
from sallyport.vocab.ids import app_ari, environment_ari, installation_ari


def installation_context(
    app: App,
    environment: Environment,
    installation: Installation,
    version: Version,
    manifest: Manifest,
) -> dict[str, Any]:
    """What is the same for every call of an installation while its version is live."""
    return {
        "appId": app.id,
        "appAri": app_ari(app.id),
        "appVersion": version.number,
        "environmentId": environment.id,
        "environmentAri": environment_ari(app.id, environment.id),
        "environmentKey": environment.key,
        "environmentType": environment.type.value,
        "installationId": installation.id,
        "installationAri": installation_ari(installation.id),
        "cloudId": installation.site_id,
        "product": installation.product,
        "permissions": {
            "scopes": [scope.name for scope in manifest.permissions_scopes],
            "external": {"fetch": {"backend": list(manifest.external_fetch_backend)}},
        },
    }


def call_context(
    installation: Mapping[str, Any],
    *,
    function_key: str,
    module_key: str,
    module_type: str,
    account_id: str | None,
    scopes: Iterable[str],
) -> dict[str, Any]:
    """The context of one call. `installation` is what `installation_context` made.

    `module_type` is the manifest's: `apiRoute`, `webtrigger`, `scheduledTrigger`. `account_id` is
    None where nobody signed in. The runtime adds `invocationId`, `traceId` and `deadline`.
    """
    return {
        **installation,
        "functionKey": function_key,
        "moduleKey": module_key,
        "moduleType": module_type,
        "accountId": account_id,
        "scopes": sorted(scopes),
    }
