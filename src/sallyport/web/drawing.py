"""Templates into answers: the one place that turns values into HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from sallyport.vocab.clock import iso
from sallyport.web import charts, cookies, flash
from sallyport.web.assets import static_address
from sallyport.web.headers import guard
from sallyport.web.visit import Visit

_HERE = Path(__file__).parent


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
    told = flash.said(visit)
    html = ENVIRONMENT.get_template(template).render(
        account=visit.account,
        here=visit.request.url.path,
        form_token=visit.form_token,
        told=told,
        **values,
    )
    response = HTMLResponse(html, status_code=status, headers=headers)
    if told is not None:
        flash.clear(visit, response)
    if visit.visitor_is_new:
        cookies.set_cookie(response, cookies.VISITOR, visit.visitor, secure=visit.secure)
    # Only the frame writes script elements, text of people is escaped: a door has none.
    return guard(response, form_targets, scripts="<script " in html)


def draw_alone(
    template: str, *, status: int, headers: Mapping[str, str] | None = None, **values: Any
) -> Response:
    """Answer with a page that knows nothing of who visits; for when that cannot be asked."""
    html = ENVIRONMENT.get_template(template).render(account=None, here="", told=None, **values)
    return guard(HTMLResponse(html, status_code=status, headers=headers))


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


def instant(at: int) -> Markup:
    """The same for rows of a list: the day in figures, to the millisecond."""
    stamp = datetime.fromtimestamp(at / 1000, UTC)
    text = f"{stamp:%Y-%m-%d %H:%M:%S}.{at % 1000:03d}"
    return Markup('<time datetime="{}">{}</time>').format(iso(at), text)


def twice(value: str) -> tuple[str, str]:
    """A value as a choice that is its own title."""
    return value, value


def brief(at: int) -> Markup:
    """The same in a list, where one looks for order more than for the year."""
    stamp = datetime.fromtimestamp(at / 1000, UTC)
    return Markup('<time datetime="{}">{}</time>').format(iso(at), f"{stamp.day} {stamp:%b, %H:%M}")


def ms(us: int) -> Markup:
    """Microseconds as milliseconds, the unit small."""
    return Markup("{}<small> ms</small>").format(number(round(us / 1000, 1)))


def breakable(text: str) -> Markup:
    """Something long to copy, with places where a line may break: after `/`, `_` and `.`."""
    marked = str(escape(text))
    for mark in "/_.":
        marked = marked.replace(mark, f"{mark}<wbr>")
    return Markup(marked)


def number(value: float) -> str:
    """A figure with thousands apart, one decimal where it is no whole one."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 call`, `1,204 calls`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def as_json(value: object) -> str:
    """JSON as people read it; characters that cannot be seen, or turn the text, are escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(
        each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text
    )


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
    "instant": instant,
    "twice": twice,
    "brief": brief,
    "ms": ms,
    "breakable": breakable,
    "json": as_json,
    "number": number,
    "plural": plural,
}
ENVIRONMENT.globals |= {
    "static": static_address,
    "account_tabs": (
        ("Account", "/account"),
        ("Consents", "/account/grants"),
        ("Sessions", "/account/sessions"),
    ),
    "line_chart": charts.line_chart,
    "bar_chart": charts.bar_chart,
}
