"""A person's browser, as far as consent needs one: cookies, forms, redirects.

Lets the demo and scripts go the very way that people go, over HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from sallyport.cli.failures import Failed


@dataclass(slots=True)
class Form:
    """A form on a page; `fields` are those that it sends unless told otherwise."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
            self._inside = True
        elif tag == "input" and self._inside:
            self._input(given)

    def _input(self, given: dict[str, str]) -> None:
        kind = given.get("type", "text")
        chosen = kind not in ("submit", "button", "checkbox", "radio") or "checked" in given
        if "name" in given and chosen and kind not in ("submit", "button"):
            self.forms[-1].fields.append((given["name"], given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def forms(page: str) -> list[Form]:
    """The forms of an HTML page, in order."""
    reader = _FormReader()
    reader.feed(page)
    return reader.forms


class Browser:
    """One browser profile on one platform."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._http = httpx.AsyncClient(follow_redirects=False, timeout=30)

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._http.aclose()

    async def open(self, address: str) -> httpx.Response:
        """Follow redirects on the platform; stop at one that leaves it."""
        answer = await self._http.get(urljoin(self._base_url, address))
        while answer.is_redirect and self._is_here(answer):
            answer = await self._http.get(self._next(answer))
        return answer

    async def submit(self, page: httpx.Response, with_field: str, **values: str) -> httpx.Response:
        """Send the page's form that has `with_field`, with these values in place of its own.

        The answer is not followed where it redirects.
        """
        for form in forms(page.text):
            names = {name for name, _ in form.fields}
            if with_field in names:
                break
        else:
            raise Failed(f"{page.url} has no form with {with_field!r} (status {page.status_code}).")
        kept = [(name, value) for name, value in form.fields if name not in values]
        return await self._http.post(
            urljoin(str(page.url), form.action or str(page.url)),
            data=_many(kept + list(values.items())),
            headers={"Origin": self._base_url, "Sec-Fetch-Site": "same-origin"},
        )

    async def sign_in(self, email: str, password: str) -> None:
        page = await self.open("/login")
        answer = await self.submit(page, "password", email=email, password=password)
        if not answer.is_redirect:
            raise Failed(f"{email} could not sign in (status {answer.status_code}).")

    async def consent(self, authorization_url: str, site_id: str) -> str:
        """Allow what the URL asks for; returns the code."""
        page = await self.open(authorization_url)
        answer = await self.submit(page, "client_id", site=site_id, decision="allow")
        if not answer.is_redirect:
            raise Failed(f"Consent was not taken (status {answer.status_code}).")
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        if "code" not in query:
            raise Failed(f"Consent ended with {query.get('error', ['no code'])[0]}.")
        return query["code"][0]

    def _next(self, answer: httpx.Response) -> str:
        return urljoin(str(answer.url), answer.headers["location"])

    def _is_here(self, answer: httpx.Response) -> bool:
        return self._next(answer).startswith(self._base_url + "/")


def _many(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values
