"""URLs that the platform calls, in one plain form; what parsers read differently is refused.

Raised errors say what is wrong with the text, for whoever wrote it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_URL: Final = 8_192
PORTS: Final = {"http": 80, "https": 443}

_URL = re.compile(
    r"(?P<scheme>[A-Za-z]+)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:#.*)?",
    re.ASCII,
)
_VISIBLE = re.compile(r"[\x21-\x5b\x5d-\x7e]+")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Url:
    """`host` is a name in lower case or an address without brackets; `target` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """RFC 6454: scheme, host, and the port where it is not the scheme's own."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        return self.origin + self.target


def read_url(text: str) -> Url:
    """An http or https URL, its fragment dropped. Raises `ValueError` with what is wrong."""
    if len(text) > LONGEST_URL:
        raise ValueError(f"it is longer than {LONGEST_URL} characters")
    if _VISIBLE.fullmatch(text) is None:
        raise ValueError("it holds a character that must be percent-encoded")
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError("it is not scheme://host[:port]/path, without a user name")
    scheme = found["scheme"].lower()
    if scheme not in PORTS:
        raise ValueError("its scheme is neither https nor http")
    port = int(found["port"] or PORTS[scheme])
    if not 0 < port < 65_536:
        raise ValueError("its port is out of range")
    target = (found["path"] or "/") + (found["query"] or "")
    return Url(scheme, _host(found["host"].lower()), port, target)


def _host(host: str) -> str:
    if host.startswith("["):
        return str(ipaddress.IPv6Address(host[1:-1]))
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]) is not None:
        # Decimal, octal and hex spellings of an address are read differently by every parser.
        return str(ipaddress.IPv4Address(host))
    if len(host) > 253 or any(_LABEL.fullmatch(label) is None for label in labels):
        raise ValueError("its host is not a host name")
    return host


def literal(host: str) -> Address | None:
    """The address that a URL's host is, None where it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
