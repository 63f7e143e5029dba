"""Which URLs app code may call, and which addresses they may lead to."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sallyport.vocab.urls import Address, Url, literal

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ENTRY = re.compile(
    r"(?:(?P<scheme>[A-Za-z]+)://)?(?P<host>\*|(?:\*\.)?[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?(?:[/?#].*)?",
    re.ASCII,
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class _Entry:
    scheme: str
    host: str
    port: int | None

    def matches(self, url: Url) -> bool:
        if url.scheme != self.scheme or self.port not in (None, url.port):
            return False
        if self.host == "*":
            return True
        if self.host.startswith("*."):
            return url.host.endswith(self.host[1:]) and literal(url.host) is None
        return url.host == self.host


@lru_cache(maxsize=512)
def _entries(declared: tuple[str, ...]) -> tuple[_Entry, ...]:
    entries = []
    for text in declared:
        found = _ENTRY.fullmatch(text.strip())
        if found is not None:
            port = found["port"]
            scheme = (found["scheme"] or "https").lower()
            entries.append(_Entry(scheme, found["host"].lower(), int(port) if port else None))
    return tuple(entries)


def is_declared(url: Url, declared: tuple[str, ...]) -> bool:
    """Whether addresses of `permissions.external.fetch.backend` cover a URL, contract (l.4).

    An entry is a host or `*.host` (any name below it, not itself), https unless it says http; its
    path does not matter, and its port only where it has one.
    """
    return any(entry.matches(url) for entry in _entries(declared))


def may_be_called(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether app code may reach an address: a public one, or one that the operator allows.

    An IPv6 address that carries an IPv4 one is judged by both.
    """
    if any(address.version == network.version and address in network for network in allowed):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        if address in _LOCAL_NAT64:
            return False
        return all(may_be_called(each, allowed) for each in _carried(address)) and _is_public(
            address
        )
    return _is_public(address)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped is not None or address in _NAT64
    ):
        # Nothing but its IPv4 address counts, and that has been judged.
        return True
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def _carried(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...]:
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64 or address in _COMPATIBLE:
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()
