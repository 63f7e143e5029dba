"""The APIs of the product that the app is installed on, as the app or as a user.

    from sallyport_app import product

    me = product.as_user().request("GET", "/rest/api/3/myself").json()
    made = product.as_app().request("POST", "/rest/api/3/issue", json={"fields": {...}})

Who calls is known to the platform, which signs each request for the product. `as_user()` is the
account that consented to the call. In asynchronous code, `arequest` does the same as `request`
without blocking the loop. docs/reference/product-apis.md has the rules and limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sallyport_app._http import Answer, Body, Headers, RequestRefused, in_thread, send

__all__ = ["Answer", "Caller", "RequestRefused", "as_app", "as_user"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom requests are made for; made by `as_app` and `as_user`."""

    kind: str
    account_id: str | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Headers | None = None,
        body: Body = None,
        json: Any = None,
    ) -> Answer:
        """Send a request to the product and wait for the answer, whatever its status.

        `path` begins with a slash, is percent-encoded, and may have a query. `json`, where it is
        not None, is sent as the body. Redirects are not followed. Raises `RequestRefused`.
        """
        options = {"as": self.kind}
        if self.account_id is not None:
            options["accountId"] = self.account_id
        return send("product", method, path, headers, body, json, options)

    async def arequest(
        self,
        method: str,
        path: str,
        *,
        headers: Headers | None = None,
        body: Body = None,
        json: Any = None,
    ) -> Answer:
        """As `request`."""
        return await in_thread(self.request, method, path, headers=headers, body=body, json=json)


def as_app() -> Caller:
    """Requests of the app itself."""
    return Caller("app")


def as_user(account_id: str | None = None) -> Caller:
    """Requests for a user: the one that consented to the call, or another member of the site.

    Another one takes a scope with `allowImpersonation: true` in the manifest.
    """
    return Caller("user", account_id)
