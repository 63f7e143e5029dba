"""HTTP/1.1 on the wire: which request heads are read at all, and replies as bytes.

What two readers could understand differently is refused, so that no proxy in front of the gateway
sees other requests than the gateway does (RFC 9112 sections 2.2, 3.2, 5.1, 6.1 and 11.2). The
parser refuses most of it; here stands what it lets through.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from sallyport.gateway.endpoint import LENGTHLESS
from sallyport.gateway.steps import LARGEST_HEADERS, MOST_HEADERS
from sallyport.vocab import problem
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.message import RawHeaders, Reply

LONGEST_TARGET = 16 * 1024
# Beyond its own limits a call gets a recorded refusal; beyond these no more of a head is kept.
MOST_FIELDS = 2 * MOST_HEADERS
LARGEST_FIELDS = 2 * LARGEST_HEADERS

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_VERSIONS = ("1.1", "1.0")


class Unreadable(Exception):
    """The bytes of a connection make no request; nothing that follows them is read.

    `bodiless` where the refusal answers HEAD.
    """

    bodiless = False

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.detail)
        self.refused = refused


def check_head(version: str, method: str, target: bytes, headers: RawHeaders) -> None:
    """Refuse a head that could be read in two ways. Raises `Unreadable`."""
    if version not in _VERSIONS or method == "CONNECT":
        raise malformed("Only HTTP/1.1 and HTTP/1.0 are spoken here, without CONNECT.")
    if b"#" in target:
        raise malformed("The request target has a fragment.")
    hosts = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding" and (version == "1.0" or value.lower() != b"chunked"):
            raise malformed("The only Transfer-Encoding is chunked, in HTTP/1.1.")
    if hosts > 1 or (not hosts and version == "1.1"):
        raise malformed("The request has not exactly one Host header.")


def origin_form(target: bytes, headers: RawHeaders) -> bytes:
    """A target in absolute form as path and query (RFC 9112 section 3.2.2), others as they are.

    Raises `Unreadable` where its authority is not the Host header's.
    """
    if target[:1] == b"/" or b"://" not in target:
        return target
    scheme, _, rest = target.partition(b"://")
    cut = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    authority, path = rest[:cut], rest[cut:]
    host = next((value for name, value in headers if name == b"host"), authority)
    if scheme.lower() not in (b"http", b"https") or authority.lower() != host.lower():
        raise malformed("The request target names another host than the Host header.")
    return path if path[:1] == b"/" else b"/" + path


def malformed(detail: str) -> Unreadable:
    """The refusal of bytes that are no request."""
    return Unreadable(
        Refused(Reason.REQUEST_MALFORMED, detail, fix="Send one request as RFC 9112 writes it.")
    )


def target_too_long() -> Unreadable:
    return Unreadable(
        Refused(
            Reason.TARGET_TOO_LONG,
            f"The request target is longer than {LONGEST_TARGET} bytes.",
            fix="Send long values in the body.",
        )
    )


def fields_too_large() -> Unreadable:
    return Unreadable(
        Refused(
            Reason.HEADERS_TOO_LARGE,
            f"The request has more than {MOST_HEADERS} headers, or more than "
            f"{LARGEST_HEADERS // 1024} KB of them.",
            fix="Send fewer and smaller headers.",
        )
    )


def too_slow(seconds: float) -> Unreadable:
    return Unreadable(
        Refused(
            Reason.REQUEST_TOO_SLOW,
            f"The request was not here within {seconds:g} seconds.",
            fix="Send the whole request at once.",
        )
    )


def too_many_connections(most: int) -> Unreadable:
    return Unreadable(
        Refused(
            Reason.CONNECTIONS_FULL,
            f"The platform has {most} connections, as many as it keeps.",
            fix="Keep fewer connections open, or try again later.",
            headers={"retry-after": "1"},
        )
    )


def reply_of(refused: Refused) -> Reply:
    """A refusal of bytes that never became a call, so without ids and without a record."""
    headers = (
        *refused.headers.items(),
        ("cache-control", "no-store"),
        ("content-type", problem.MEDIA_TYPE),
    )
    return Reply(refused.reason.status, headers, problem.encode(refused))


def encode_head(
    reply: Reply, defaults: Iterable[tuple[bytes, bytes]], *, keep_alive: bool
) -> bytes:
    """The head of a reply as it goes over a connection.

    Raises `ValueError` for a header that holds a line break or is no Latin-1.
    """
    fields = [f"{name}: {value}\r\n" for name, value in reply.headers]
    if reply.status not in LENGTHLESS:
        fields.append(f"content-length: {len(reply.body)}\r\n")
    if not keep_alive:
        fields.append("connection: close\r\n")
    text = "".join(fields)
    if not text.count("\r") == text.count("\n") == len(fields):
        raise ValueError("a header of the reply holds a line break")
    dates = b"".join([b"%s: %s\r\n" % field for field in defaults])
    return b"".join((_STATUS_LINES[reply.status], dates, text.encode("latin-1"), b"\r\n"))


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


_STATUS_LINES = {status: _status_line(status) for status in range(200, 600)}
