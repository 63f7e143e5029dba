"""Cross-site defence: a form counts only if our own page, shown to this browser, sent it.

Two rules, both must hold: the browser's own word on where the request began, and a token that only
a page drawn for this session can hold.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from sallyport.vocab.errors import Reason, Refused

TOKEN_FIELD = "form_token"


def require_same_origin(request: Request, scheme: str) -> None:
    """Refuse a form that did not begin on a page of this very origin.

    `Sec-Fetch-Site` decides where it is sent (it cannot be set by scripts); plain http hosts get
    no such header, there `Origin` must be this host's. With neither, nothing vouches for it.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        if site != "same-origin":
            raise _cross_site("The browser says that another site's page sent this form.")
    elif origin is None:
        raise _cross_site("Nothing in the request says which page sent this form.")
    if origin is not None and not _is_this_host(origin, request.headers.get("host", ""), scheme):
        raise _cross_site("A page of another origin sent this form.")


def form_token(secret: str, purpose: str) -> str:
    """A token for forms with this purpose, drawn for the holder of `secret` (a cookie's value)."""
    return hmac.new(secret.encode(), b"form\0" + purpose.encode(), hashlib.sha256).hexdigest()


def require_form_token(secret: str | None, purpose: str, given: str | None) -> None:
    """Refuse a form that was drawn for another session or another purpose."""
    expected = form_token(secret, purpose) if secret is not None else ""
    if not expected or not same(expected, given or ""):
        raise Refused(
            Reason.CROSS_SITE,
            "This form was not drawn for your session, or your session has changed since.",
            fix="Go back, load the page again and send the form from there.",
        )


def same(one: str, other: str) -> bool:
    """Whether two marks are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def _is_this_host(origin: str, host: str, scheme: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return bool(host) and parts.scheme == scheme and parts.netloc.lower() == host.lower()


def _cross_site(detail: str) -> Refused:
    return Refused(
        Reason.CROSS_SITE,
        detail,
        fix="Open the page on this platform and send the form from there.",
    )
