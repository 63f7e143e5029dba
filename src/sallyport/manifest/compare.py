"""What changed between two versions of an app: what callers and admins care about."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

from sallyport.model.manifest import Manifest, Route

T = TypeVar("T")
What = Literal["route", "scope", "permission", "outbound", "function", "web trigger", "runtime"]
Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One change. `name` says of what, `detail` how it changed where it did."""

    what: What
    change: Change
    name: str
    detail: str = ""


def differences(old: Manifest, new: Manifest) -> tuple[Difference, ...]:
    """Everything that `new` adds, removes and changes, by kind and name; empty where nothing."""
    return (
        *_between("route", old.routes, new.routes, _route_name, _route_change),
        *_between("scope", sorted(old.custom_scopes), sorted(new.custom_scopes), str),
        *_between(
            "permission",
            old.permissions_scopes,
            new.permissions_scopes,
            lambda each: each.name,
            lambda was, now: (
                f"may {'' if now.allow_impersonation else 'no longer '}act for absent users"
            ),
        ),
        *_between(
            "outbound",
            old.egress,
            new.egress,
            lambda each: f"{each.address} ({each.use})",
            lambda was, now: "says otherwise what data leaves",
        ),
        *_between(
            "function",
            old.functions,
            new.functions,
            lambda each: each.key,
            lambda was, now: f"{now.handler}, {now.timeout_seconds} s",
        ),
        *_between(
            "web trigger",
            old.webtriggers,
            new.webtriggers,
            lambda each: each.key,
            lambda was, now: f"{now.response}, {now.function or now.endpoint}",
        ),
        *_between(
            "runtime",
            [old.runtime],
            [new.runtime],
            lambda each: each.name,
            lambda was, now: f"{now.memory_mb} MB, {now.architecture}",
        ),
    )


def _between(
    what: What,
    old: Iterable[T],
    new: Iterable[T],
    name: Callable[[T], str],
    change: Callable[[T, T], str] = lambda was, now: "",
) -> list[Difference]:
    before = {name(each): each for each in old}
    after = {name(each): each for each in new}
    found = [Difference(what, "added", each) for each in after if each not in before]
    found += [Difference(what, "removed", each) for each in before if each not in after]
    found += [
        Difference(what, "changed", each, change(before[each], after[each]))
        for each in after
        if each in before and before[each] != after[each]
    ]
    return sorted(found, key=lambda each: each.name)


def _route_name(route: Route) -> str:
    return f"{route.operation} {route.path}"


def _route_change(was: Route, now: Route) -> str:
    told = []
    if added := [each for each in now.scopes if each not in was.scopes]:
        told.append("now also needs " + ", ".join(added))
    if dropped := [each for each in was.scopes if each not in now.scopes]:
        told.append("no longer needs " + ", ".join(dropped))
    if was.function != now.function:
        told.append(f"is answered by {now.function}, not {was.function}")
    if was.rate_limit != now.rate_limit:
        limit = now.rate_limit
        told.append(f"takes {limit.calls} calls a minute per {limit.per}" if limit else "no limit")
    if was.cors != now.cors:
        told.append("takes calls from other pages" if now.cors else "takes no calls from pages")
    return "; ".join(told) or "is described otherwise"
