"""The files that pages load: read once, compressed once, at addresses that name their content."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

_FOLDER = Path(__file__).parent / "static"
_SCRIPT = "text/javascript; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Asset:
    media_type: str
    content: bytes
    compressed: bytes
    mark: str


def _read(name: str, media_type: str) -> _Asset:
    content = (_FOLDER / name).read_bytes()
    mark = hashlib.sha256(content).hexdigest()[:12]
    return _Asset(media_type, content, gzip.compress(content, 9, mtime=0), mark)


_ASSETS = {
    name: _read(name, media_type)
    for name, media_type in (
        ("sallyport.css", "text/css; charset=utf-8"),
        ("sallyport.js", _SCRIPT),
        ("try.js", _SCRIPT),
        ("htmx.js", _SCRIPT),
        ("htmx-sse.js", _SCRIPT),
        ("mark.svg", "image/svg+xml"),
    )
}


async def static(request: Request) -> Response:
    """One of the files. Only these are compressed: pages hold secrets beside what people typed."""
    found = _ASSETS.get(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'",
        "Vary": "Accept-Encoding",
    }
    if zipped:
        headers["Content-Encoding"] = "gzip"
    content = found.compressed if zipped else found.content
    return Response(content, media_type=found.media_type, headers=headers)


def text_of(name: str) -> str:
    """The text of one of the files."""
    return _ASSETS[name].content.decode()


def static_address(name: str) -> str:
    """`/static/<name>` with a mark of its content."""
    return f"/static/{name}?v={_ASSETS[name].mark}"
