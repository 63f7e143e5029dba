"""A manifest's data, once it is known to be valid, as the frozen model."""

from __future__ import annotations

import json
from typing import Any

from sallyport.model.manifest import (
    DEFAULT_MEMORY_MB,
    DEFAULT_TIMEOUT_SECONDS,
    Consumer,
    Cors,
    Egress,
    Entity,
    EntityIndex,
    Function,
    Manifest,
    PermissionScope,
    Provider,
    Remote,
    Route,
    RouteLimit,
    Runtime,
    ScheduledTrigger,
    StaticOutput,
    Trigger,
    WebTrigger,
)
from sallyport.vocab.ids import APP_ARI_PREFIX, is_uuid


def build(data: dict[str, Any]) -> Manifest:
    """Data without findings as a Manifest."""
    app = data["app"]
    modules = data.get("modules", {})
    permissions = data.get("permissions", {})
    remotes = tuple(_remote(item) for item in data.get("remotes", ()))
    egress = _egress(permissions.get("external", {}), {r.key: r.base_url for r in remotes})
    return Manifest(
        app_id=_app_id(app.get("id")),
        name=app.get("name"),
        runtime=_runtime(app["runtime"]),
        routes=tuple(_route(item) for item in modules.get("apiRoute", ())),
        functions=tuple(_function(item) for item in modules.get("function", ())),
        permissions_scopes=_permission_scopes(permissions.get("scopes", ())),
        external_fetch_backend=_unique(e.address for e in egress if e.use == "fetch.backend"),
        egress=egress,
        content=_content(permissions.get("content", {})),
        enforcement=permissions.get("enforcement"),
        licensing=app.get("licensing", {}).get("enabled", False),
        webtriggers=tuple(_webtrigger(item) for item in modules.get("webtrigger", ())),
        scheduled_triggers=tuple(
            ScheduledTrigger(i["key"], i["interval"], i.get("function"), i.get("endpoint"))
            for i in modules.get("scheduledTrigger", ())
        ),
        triggers=tuple(
            Trigger(i["key"], tuple(i["events"]), i.get("function"), i.get("endpoint"))
            for i in modules.get("trigger", ())
        ),
        consumers=tuple(_consumer(item) for item in modules.get("consumer", ())),
        remotes=remotes,
        providers=tuple(
            Provider(i["key"], i.get("clientId", ""))
            for i in data.get("providers", {}).get("auth", ())
        ),
        entities=tuple(_entity(item) for item in app.get("storage", {}).get("entities", ())),
    )


def _app_id(ari: str | None) -> str | None:
    found = (ari or "").partition(APP_ARI_PREFIX)[2].lower()
    return found if is_uuid(found) else None


def _runtime(item: dict[str, Any]) -> Runtime:
    memory = int(item.get("memoryMB", DEFAULT_MEMORY_MB))
    return Runtime(item["name"], item.get("architecture", "x86_64"), memory)


def _route(item: dict[str, Any]) -> Route:
    return Route(
        key=item["key"],
        operation=item["operation"],
        path=item["path"],
        function=item["function"],
        accept=_unique(item.get("accept", ())),
        scopes=tuple(item["scopes"]),
        rate_limit=_rate_limit(item.get("rateLimit")),
        cors=_cors(item.get("cors")),
    )


def _rate_limit(item: dict[str, Any] | None) -> RouteLimit | None:
    return None if item is None else RouteLimit(item["perMinute"], item.get("per", "account"))


def _cors(item: dict[str, Any] | None) -> Cors | None:
    if item is None:
        return None
    return Cors(
        _unique(item["origins"]),
        _unique(item.get("headers", ())),
        _unique(item.get("exposeHeaders", ())),
    )


def _function(item: dict[str, Any]) -> Function:
    memory = item.get("runtime", {}).get("memoryMB")
    return Function(
        key=item["key"],
        handler=item["handler"],
        timeout_seconds=int(item.get("timeoutSeconds", DEFAULT_TIMEOUT_SECONDS)),
        memory_mb=int(memory) if memory is not None else None,
    )


def _webtrigger(item: dict[str, Any]) -> WebTrigger:
    return WebTrigger(
        key=item["key"],
        function=item.get("function"),
        endpoint=item.get("endpoint"),
        url_format=item.get("urlFormat"),
        response=item.get("response", {}).get("type", "dynamic"),
        outputs=tuple(
            StaticOutput(
                each["key"], int(each["statusCode"]), each.get("body"), each.get("contentType")
            )
            for each in item.get("response", {}).get("outputs", ())
        ),
    )


def _entity(item: dict[str, Any]) -> Entity:
    return Entity(
        name=item["name"],
        attributes=tuple((name, each["type"]) for name, each in item["attributes"].items()),
        indexes=tuple(
            EntityIndex(index, (index,))
            if isinstance(index, str)
            else EntityIndex(
                index["name"], tuple(index["range"]), tuple(index.get("partition", ()))
            )
            for index in item.get("indexes", ())
        ),
    )


def _consumer(item: dict[str, Any]) -> Consumer:
    resolver = item.get("resolver", {})
    function = item.get("function") or resolver.get("function")
    return Consumer(
        item["key"], item["queue"], function, resolver.get("method"), item.get("endpoint")
    )


def _permission_scopes(scopes: Any) -> tuple[PermissionScope, ...]:
    if isinstance(scopes, dict):
        return tuple(
            PermissionScope(name, settings.get("allowImpersonation", False))
            for name, settings in scopes.items()
        )
    return tuple(PermissionScope(name) for name in _unique(scopes))


def _egress(external: dict[str, Any], remotes: dict[str, str]) -> tuple[Egress, ...]:
    lists = {use: listed for use, listed in external.items() if use != "fetch"}
    lists.update({f"fetch.{side}": listed for side, listed in external.get("fetch", {}).items()})
    found = []
    for use, listed in lists.items():
        for entry in listed:
            if isinstance(entry, str):
                found.append(Egress(use, entry))
                continue
            address = entry["address"] if "address" in entry else remotes[entry["remote"]]
            egress = Egress(use, address, entry.get("category"), entry.get("inScopeEUD", False))
            found.append(egress)
    return tuple(dict.fromkeys(found))


def _content(content: dict[str, Any]) -> tuple[str, ...]:
    return _unique(f"{kind}:{policy}" for kind, listed in content.items() for policy in listed)


def _remote(item: dict[str, Any]) -> Remote:
    base = item["baseUrl"]
    rest = {key: value for key, value in item.items() if key not in {"key", "baseUrl"}}
    url = base if isinstance(base, str) else str(base.get("default", ""))
    if not isinstance(base, str):
        rest["baseUrl"] = base
    return Remote(item["key"], url, json.dumps(rest, sort_keys=True))


def _unique(values: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
