"""Requests to the hosts that the manifest declares under `permissions.external.fetch.backend`.

    from sallyport_app import fetch

    answer = fetch.request("GET", "https://api.example.com/rates?base=EUR")
    if answer.ok:
        rates = answer.json()

The platform sends them: app code has no network of its own. In asynchronous code, `arequest` does
the same without blocking the loop. docs/reference/outbound-fetch.md has the rules and limits.
"""

from __future__ import annotations

from typing import Any, Literal

from sallyport_app._http import Answer, Body, Headers, RequestRefused, in_thread, send

__all__ = ["Answer", "RequestRefused", "arequest", "request"]

Redirect = Literal["follow", "manual", "error"]


def request(
    method: str,
    url: str,
    *,
    headers: Headers | None = None,
    body: Body = None,
    json: Any = None,
    redirect: Redirect = "follow",
) -> Answer:
    """Send a request and wait for the answer, whatever its status.

    `json`, where it is not None, is sent as the body. Redirects are followed to declared hosts;
    with `manual` the redirect is the answer, with `error` it is refused. Raises `RequestRefused`.
    """
    options = {} if redirect == "follow" else {"redirect": redirect}
    return send("fetch", method, _encoded(url), headers, body, json, options)


async def arequest(
    method: str,
    url: str,
    *,
    headers: Headers | None = None,
    body: Body = None,
    json: Any = None,
    redirect: Redirect = "follow",
) -> Answer:
    """As `request`."""
    return await in_thread(
        request, method, url, headers=headers, body=body, json=json, redirect=redirect
    )


def _encoded(url: str) -> str:
    """Characters that no URL may hold, percent-encoded; the rest is the platform's to judge."""
    if url.isascii() and " " not in url:
        return url
    return "".join(
        each if "!" <= each <= "~" else "".join(f"%{byte:02X}" for byte in each.encode())
        for each in url
    )
