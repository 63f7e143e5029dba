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
# What the IANA registries of special addresses list and no server of the public internet has. The
# standard library knows most of them; which ones depends on its version.
_SPECIAL: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)


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

    An IPv6 address that stands for an IPv4 one (mapped, NAT64) is judged as that one.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return may_be_called(address.ipv4_mapped, allowed)
        if address in _NAT64:
            return may_be_called(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF), allowed)
    return _among(address, allowed) or _is_public(address)


def _is_public(address: Address) -> bool:
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or _among(address, _SPECIAL)
    )


def _among(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == each.version and address in each for each in networks)
