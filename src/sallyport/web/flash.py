"""What a page says once about the form before it, carried over the redirect in a cookie.

The text is bound to the session that it was written for: one that somebody planted is not shown.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.responses import Response

from sallyport.web import cookies, csrf
from sallyport.web.visit import Visit, see_other

_PURPOSE = "flash\0"
_LONGEST = 300
_KEPT_S = 60


def say(visit: Visit, location: str, text: str) -> Response:
    """Go on to `location`, whose page says `text` once; at most 300 characters of it."""
    text = text[:_LONGEST]
    response = see_other(location)
    value = f"{_mark(visit, text)}.{quote(text, safe='')}"
    cookies.set_cookie(response, cookies.FLASH, value, secure=visit.secure, max_age=_KEPT_S)
    return response


def said(visit: Visit) -> str | None:
    """What the form before said, if this session's form said it."""
    value = cookies.read_cookie(visit.request, cookies.FLASH, secure=visit.secure, longest=4000)
    if value is None or visit.session is None:
        return None
    mark, _, quoted = value.partition(".")
    text = unquote(quoted)
    return text if csrf.same(mark, _mark(visit, text)) else None


def clear(visit: Visit, response: Response) -> None:
    cookies.clear_cookie(response, cookies.FLASH, secure=visit.secure)


def _mark(visit: Visit, text: str) -> str:
    return visit.form_token(_PURPOSE + text)
