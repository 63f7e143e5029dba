"""A call of a route as one types it: curl, Python, JavaScript.

Names and examples are the developer's and untrusted: each is quoted for the language that it
stands in, so that who copies a sample runs nothing else.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from sallyport.manifest.openapi import path_parameters
from sallyport.manifest.paths import DoubleStar, parse_path
from sallyport.model.api_notes import FunctionNotes
from sallyport.model.manifest import Route

WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Sample:
    """`language` as a person reads it, and text of several lines."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    body: Any

    @property
    def has_body(self) -> bool:
        return self.body is not None


def samples(route: Route, notes: FunctionNotes, base_url: str) -> tuple[Sample, ...]:
    """The same call in each language. `base_url` is what stands before the path.

    Parameters have the developer's examples, or their names in capitals where there are none.
    """
    request = _Request(route.operation, _url(route, notes, base_url), _body(route, notes))
    return (
        Sample("curl", _curl(request)),
        Sample("Python", _python(request)),
        Sample("JavaScript", _javascript(request)),
    )


def _url(route: Route, notes: FunctionNotes, base_url: str) -> str:
    pattern = parse_path(route.path)
    path, parameters = path_parameters(pattern, notes)
    for each in parameters:
        name = each["name"]
        takes_slashes = each is parameters[-1] and isinstance(pattern.segments[-1], DoubleStar)
        text = quote(_plain(name, each.get("example")), safe="/" if takes_slashes else "")
        path = path.replace(f"{{{name}}}", text)
    asked = {
        name: _plain(name, said.example)
        for name, said in notes.query.items()
        if said.required or said.example is not None
    }
    return base_url + path + (f"?{urlencode(asked)}" if asked else "")


def _plain(name: str, example: Any) -> str:
    if example is None or isinstance(example, (dict, list)):
        return name.upper()
    return example if isinstance(example, str) else json.dumps(example)


def _body(route: Route, notes: FunctionNotes) -> Any:
    if notes.request is not None and notes.request.example is not None:
        return notes.request.example
    return {} if route.operation in WITH_BODY or notes.request is not None else None


def _curl(request: _Request) -> str:
    plain = request.method == "GET" and not request.has_body
    lines = [f"curl{'' if plain else f' -X {request.method}'} {shlex.quote(request.url)}"]
    lines.append('-H "Authorization: Bearer $ACCESS_TOKEN"')
    if request.has_body:
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d {shlex.quote(json.dumps(request.body))}")
    return " \\\n  ".join(lines)


def _python(request: _Request) -> str:
    lines = [
        "import os",
        "",
        "import httpx",
        "",
        "answer = httpx.request(",
        f"    {request.method!r},",
        f"    {request.url!a},",
        '    headers={"Authorization": "Bearer " + os.environ["ACCESS_TOKEN"]},',
    ]
    if request.has_body:
        lines.append(f"    json={request.body!a},")
    return "\n".join([*lines, ")", "answer.raise_for_status()", "print(answer.json())"])


def _javascript(request: _Request) -> str:
    headers: Mapping[str, str] = {"Content-Type": "application/json"} if request.has_body else {}
    lines = [
        f"const answer = await fetch({json.dumps(request.url)}, {{",
        f"  method: {json.dumps(request.method)},",
        "  headers: {",
        "    Authorization: `Bearer ${process.env.ACCESS_TOKEN}`,",
        *(f"    {json.dumps(name)}: {json.dumps(value)}," for name, value in headers.items()),
        "  },",
    ]
    if request.has_body:
        lines.append(f"  body: JSON.stringify({json.dumps(request.body)}),")
    return "\n".join(
        [
            *lines,
            "});",
            "if (!answer.ok) throw new Error(await answer.text());",
            "console.log(await answer.json());",
        ]
    )
