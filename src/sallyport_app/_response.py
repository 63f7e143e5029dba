from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict


class Response(TypedDict):
    """What a handler returns.

    `statusCode` is 200 to 599. `body` may be text, bytes, or a dict or list that is sent as JSON;
    `content-type` is `application/json` unless `headers` say otherwise. A header's value may be a
    list: then the header is sent more than once.
    """

    statusCode: int
    body: NotRequired[str | bytes | Mapping[str, Any] | Sequence[Any] | None]
    headers: NotRequired[Mapping[str, str | Sequence[str]]]
