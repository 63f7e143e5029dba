"""Templates into answers: the one place that turns values into HTML."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sallyport.vocab.clock import iso
from sallyport.web import cookies
from sallyport.web.headers import guard
from sallyport.web.visit import Visit

_HERE = Path(__file__).parent
_STATIC = {
    "sallyport.css": ("text/css; charset=utf-8", (_HERE / "static/sallyport.css").read_bytes()),
    "mark.svg": ("image/svg+xml", (_HERE / "static/mark.svg").read_bytes()),
}


def draw(
    visit: Visit,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    form_targets: Sequence[str] = (),
    **values: Any,
) -> Response:
    """Answer with a page. `form_targets`: origins that its form may be redirected to."""
    html = ENVIRONMENT.get_template(template).render(
        account=visit.account,
        here=visit.request.url.path,
        form_token=visit.form_token,
        **values,
    )
    response = HTMLResponse(html, status_code=status, headers=headers)
    if visit.visitor_is_new:
        cookies.set_cookie(response, cookies.VISITOR, visit.visitor, secure=visit.secure)
    return guard(response, form_targets)


def draw_alone(
    template: str, *, status: int, headers: Mapping[str, str] | None = None, **values: Any
) -> Response:
    """Answer with a page that knows nothing of who visits; for when that cannot be asked."""
    html = ENVIRONMENT.get_template(template).render(account=None, here="", **values)
    return guard(HTMLResponse(html, status_code=status, headers=headers))


async def static(request: Request) -> Response:
    """The style sheet and the mark. Their addresses name their content, so they keep."""
    found = _STATIC.get(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    media_type, content = found
    return Response(
        content,
        media_type=media_type,
        headers={
            "Cache-Control": "public, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'",
        },
    )


def static_address(name: str) -> str:
    """`/static/<name>` with a mark of its content."""
    return f"/static/{name}?v={hashlib.sha256(_STATIC[name][1]).hexdigest()[:12]}"


def name(text: str) -> Markup:
    """A name that somebody chose: escaped, and its writing direction kept to itself."""
    return Markup("<bdi>{}</bdi>").format(text)


def isolated(text: str) -> str:
    """The same for places without markup, such as a page's title."""
    return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"


def when(at: int) -> Markup:
    """A time for people, exact for machines."""
    stamp = datetime.fromtimestamp(at / 1000, UTC)
    text = f"{stamp.day} {stamp:%B %Y, %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(iso(at), text)


def breakable(text: str) -> Markup:
    """Something long to copy, with places where a line may break: after `/`, `_` and `.`."""
    marked = str(escape(text))
    for mark in "/_.":
        marked = marked.replace(mark, f"{mark}<wbr>")
    return Markup(marked)


ENVIRONMENT = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= {
    "name": name,
    "isolated": isolated,
    "when": when,
    "breakable": breakable,
}
ENVIRONMENT.globals["static"] = static_address
