from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


class Request(Mapping[str, Any]):
    """The request that a handler gets: by attribute, or by key as in `request["queryParameters"]`.

    Keys: `method, path, userPath, body, rawBody, headers, queryParameters, pathParameters`.
    """

    __slots__ = ("_body", "_facts", "raw_body")

    raw_body: bytes

    def __init__(self, facts: Mapping[str, Any], raw_body: bytes = b"") -> None:
        self._facts = facts
        self._body: str | None = None
        self.raw_body = raw_body

    @property
    def method(self) -> str:
        """The method, upper case: `GET`."""
        return str(self._facts["method"])

    @property
    def path(self) -> str:
        """The path below the app's base URL: `/employees/42`."""
        return str(self._facts["path"])

    @property
    def user_path(self) -> str:
        """The part of the path that the route's wildcard matched; empty without a wildcard."""
        return str(self._facts.get("userPath", ""))

    @property
    def headers(self) -> dict[str, list[str]]:
        """Header names in lower case -> their values."""
        return self._facts["headers"]  # type: ignore[no-any-return]

    @property
    def query_parameters(self) -> dict[str, list[str]]:
        """Query parameters -> their values, decoded."""
        return self._facts["queryParameters"]  # type: ignore[no-any-return]

    @property
    def path_parameters(self) -> dict[str, str]:
        """The `{name}` segments of the route -> what they matched, decoded."""
        return self._facts["pathParameters"]  # type: ignore[no-any-return]

    @property
    def body(self) -> str:
        """The body as text, as the caller sent it. What is not UTF-8 is replaced by `\\ufffd`."""
        if self._body is None:
            self._body = self.raw_body.decode("utf-8", "replace")
        return self._body

    def json(self) -> Any:
        """The body, parsed. Raises `ValueError` if it is not JSON."""
        return json.loads(self.raw_body)

    def query(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query parameter."""
        values = self.query_parameters.get(name)
        return values[0] if values else default

    def header(self, name: str, default: str | None = None) -> str | None:
        """The first value of a header; its name in any case."""
        values = self.headers.get(name.lower())
        return values[0] if values else default

    def __getitem__(self, key: str) -> Any:
        if key == "body":
            return self.body
        if key == "rawBody":
            return self.raw_body
        return self._facts[key]

    def __iter__(self) -> Iterator[str]:
        yield from self._facts
        yield from ("body", "rawBody")

    def __len__(self) -> int:
        return len(self._facts) + 2

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}>"
