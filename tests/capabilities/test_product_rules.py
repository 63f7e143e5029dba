"""Whom a product request may be made for, decided before anything is sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sallyport.capabilities.product import IMPERSONATIONS_A_MINUTE, ProductApis
from sallyport.capabilities.refused import CapabilityRefused
from sallyport.capabilities.shape import Ask, Reply
from sallyport.model.directory import SiteRole
from sallyport.model.manifest import PermissionScope
from sallyport.runtime.call import Invocation, Permissions, Target
from sallyport.runtime.running import RunningCall
from sallyport.store import authority, directory
from sallyport.tokens.keys import KeyRing, Keys, new_signing_key
from sallyport.vocab.clock import SystemClock

BOB = "00000000-0000-4000-8000-00000000000b"


class OneSite:
    """A store that knows one product and one site, of which everybody is a member."""

    clock = SystemClock()

    async def read(self, query: Any, *_args: Any) -> Any:
        return {directory.product_upstream: "http://x", authority.site_role: SiteRole.MEMBER}[query]


class Sent:
    """Takes what would be sent."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    async def send(self, _method: str, url: Any, *_rest: Any) -> Reply:
        self.urls.append(str(url))
        return Reply(200)


def running(account_id: str | None) -> RunningCall:
    permissions = Permissions((PermissionScope("read:x", allow_impersonation=True),))
    target = Target("i", "s", "e", Path("/"), (), permissions=permissions)
    context = {"product": "jira", "appId": "app", "accountId": account_id}
    call = Invocation("id", "trace", "f", "index.f", {}, b"", context, 20_000)
    return RunningCall(target, call, SystemClock(), lambda line: None)


def apis(sent: Sent) -> ProductApis:
    keys = Keys(KeyRing((new_signing_key(),)))
    return ProductApis(OneSite(), keys, "http://platform", sent)  # type: ignore[arg-type]


def ask(path: str = "/x", **options: str) -> Ask:
    return Ask("product", "GET", path, (), options, b"")


@pytest.mark.parametrize(
    ("account", "options", "code"),
    [
        (None, {"as": "user"}, "NEEDS_AUTHENTICATION_ERR"),
        ("ada", {"as": "user", "product": "confluence"}, "PRODUCT_NOT_ALLOWED"),
        ("ada", {"as": "none"}, "INVALID_REQUEST"),
        ("ada", {"as": "app", "installation": "other"}, "INVALID_REQUEST"),
        ("ada", {"as": "user", "accountId": "not an id"}, "IMPERSONATION_NOT_ALLOWED"),
    ],
)
def test_what_is_refused(account: str | None, options: dict[str, str], code: str) -> None:
    sent = Sent()
    with pytest.raises(CapabilityRefused) as refused:
        asyncio.run(apis(sent)(running(account), ask(**options)))
    assert refused.value.code == code
    assert sent.urls == []


def test_an_app_may_impersonate_a_thousand_times_a_minute() -> None:
    async def scenario() -> None:
        sent = Sent()
        capability = apis(sent)
        started = SystemClock().now() // 60_000
        for _ in range(IMPERSONATIONS_A_MINUTE):
            await capability(running(None), ask(**{"as": "user", "accountId": BOB}))
        with pytest.raises(CapabilityRefused) as refused:
            await capability(running(None), ask(**{"as": "user", "accountId": BOB}))
        if SystemClock().now() // 60_000 == started:
            assert refused.value.code == "RATE_LIMIT_EXCEEDED"
        await capability(running(None), ask(**{"as": "app"}))

    asyncio.run(scenario())


def test_an_upstreams_path_comes_first() -> None:
    sent = Sent()

    class Deep(OneSite):
        async def read(self, query: Any, *_args: Any) -> Any:
            return "https://x.example:8443/base/"

    keys = Keys(KeyRing((new_signing_key(),)))
    capability = ProductApis(Deep(), keys, "http://platform", sent)  # type: ignore[arg-type]
    for path in ("/rest/a?b=c", "/rest/a/", "/"):
        asyncio.run(capability(running(None), ask(path)))
    assert sent.urls == [
        "https://x.example:8443/base/rest/a?b=c",
        "https://x.example:8443/base/rest/a/",
        "https://x.example:8443/base/",
    ]
