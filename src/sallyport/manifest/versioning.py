"""Which changes of a manifest make a major version, contract section (k).

A major version waits for the consent of each site's admin, because the app could reach more than
was agreed to. Routes and custom scopes are not in the list: the customer consents to those scope by
scope, and a new route needs scopes that a token must already have been given.
"""

from __future__ import annotations

from sallyport.model.manifest import Manifest


def needs_major(old: Manifest, new: Manifest) -> tuple[str, ...]:
    """Why `new` after `old` is a major version; empty where it is a minor one."""
    return (
        *_permission_scopes(old, new),
        *_egress(old, new),
        *_content(old, new),
        *_webtriggers(old, new),
        *_providers(old, new),
        *_remotes(old, new),
        *_app(old, new),
    )


def _permission_scopes(old: Manifest, new: Manifest) -> list[str]:
    """Adding, swapping or removing one; letting one act for absent users counts as more reach."""
    before = {scope.name: scope.allow_impersonation for scope in old.permissions_scopes}
    after = {scope.name: scope.allow_impersonation for scope in new.permissions_scopes}
    reasons = [f"permissions.scopes adds {name}" for name in after if name not in before]
    reasons += [f"permissions.scopes removes {name}" for name in before if name not in after]
    return reasons + [
        f"permissions.scopes lets {name} impersonate users"
        for name, impersonates in after.items()
        if impersonates and before.get(name) is False
    ]


def _egress(old: Manifest, new: Manifest) -> list[str]:
    """A new address, another category, end-user data newly in scope. Removing one is no reason."""
    before = {(egress.use, egress.address): egress for egress in old.egress}
    reasons = []
    for egress in new.egress:
        place = f"permissions.external.{egress.use}"
        was = before.get((egress.use, egress.address))
        if was is None:
            reasons.append(f"{place} adds {egress.address}")
            continue
        if was.category != egress.category:
            reasons.append(f"{place} changes the category of {egress.address}")
        if egress.in_scope_eud and not was.in_scope_eud:
            reasons.append(f"{place} puts end-user data in scope for {egress.address}")
    return reasons


def _content(old: Manifest, new: Manifest) -> list[str]:
    return [
        f"permissions.content adds {policy}" for policy in new.content if policy not in old.content
    ]


def _webtriggers(old: Manifest, new: Manifest) -> list[str]:
    """A dynamic web trigger answers whoever knows its URL with whatever the app says."""
    before = {trigger.key: trigger.response for trigger in old.webtriggers}
    reasons = []
    for trigger in new.webtriggers:
        if trigger.response != "dynamic":
            continue
        was = before.get(trigger.key)
        if was is None:
            reasons.append(f"webtrigger {trigger.key} is new and dynamic")
        elif was == "static":
            reasons.append(f"webtrigger {trigger.key} becomes dynamic")
    return reasons


def _providers(old: Manifest, new: Manifest) -> list[str]:
    before = {provider.key: provider.client_id for provider in old.providers}
    after = {provider.key: provider.client_id for provider in new.providers}
    reasons = [f"providers adds {key}" for key in after if key not in before]
    reasons += [f"providers removes {key}" for key in before if key not in after]
    return reasons + [
        f"providers changes the client id of {key}"
        for key, client_id in after.items()
        if key in before and before[key] != client_id
    ]


def _remotes(old: Manifest, new: Manifest) -> list[str]:
    """Most changes of a remote count; a removed one reaches less and does not."""
    before = {remote.key: remote for remote in old.remotes}
    reasons = []
    for remote in new.remotes:
        if remote.key not in before:
            reasons.append(f"remotes adds {remote.key}")
        elif before[remote.key] != remote:
            reasons.append(f"remotes changes {remote.key}")
    return reasons


def _app(old: Manifest, new: Manifest) -> list[str]:
    reasons = []
    if new.licensing and not old.licensing:
        reasons.append("app.licensing is turned on")
    if new.enforcement is not None and new.enforcement != old.enforcement:
        reasons.append(f"permissions.enforcement becomes {new.enforcement}")
    return reasons
