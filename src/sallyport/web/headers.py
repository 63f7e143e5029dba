"""The response headers that every page carries."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.responses import Response


def content_policy(form_targets: Sequence[str] = (), *, scripts: bool = False) -> str:
    """A Content-Security-Policy without inline scripts or styles, frames or foreign sources.

    `scripts`: our own files run, and may ask this platform. `form_targets` are origins that a form
    of this page may be redirected to: browsers check `form-action` against every redirect that
    answers a form.
    """
    targets = " ".join(["'self'", *map(form_target, form_targets)])
    own = "script-src 'self'; connect-src 'self'; " if scripts else ""
    return (
        f"default-src 'none'; {own}style-src 'self'; img-src 'self' data:; "
        f"form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    )


def form_target(origin: str) -> str:
    """`origin` as a source that the policy can express.

    A policy has no way to write an IPv6 literal; there the scheme has to do.
    """
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a form is sent to http or https only")
    if ":" in parts.hostname:
        return f"{parts.scheme}:"
    port = f":{parts.port}" if parts.port is not None else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def guard(
    response: Response, form_targets: Sequence[str] = (), *, scripts: bool = False
) -> Response:
    """Set what keeps a page from being framed, cached, sniffed or leaked by a referrer.

    The referrer policy is `same-origin`, not `no-referrer`: with the latter, browsers send
    `Origin: null` with forms, and the cross-site defence would have nothing to compare.
    """
    response.headers.update(
        {
            "Content-Security-Policy": content_policy(form_targets, scripts=scripts),
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
    )
    return response
