"""Who is behind a proxy: the one place that decides where a request comes from.

A connection's own address is always true. What a header says of somebody else's is believed only
of proxies that the operator named, and of one family of headers, since a proxy that writes one
passes the other on as the client sent it. docs/guides/tls-and-proxies.md says what they must do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal, NamedTuple

Network = IPv4Network | IPv6Network
RawHeaders = Iterable[tuple[bytes, bytes]]
Family = Literal["x-forwarded", "forwarded"]

FAMILIES: tuple[Family, ...] = ("x-forwarded", "forwarded")

# So many proxies, one behind the other, are read; what stands before them is not.
MOST_HOPS = 16

_LONGEST_ADDRESS = 64
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PAIR = re.compile(rb'\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"\\]+))\s*(?:;|$)')


class Origin(NamedTuple):
    """Where a request comes from; `scheme` and `host` are None where no proxy vouches for them."""

    address: str
    scheme: str | None = None
    host: bytes | None = None


class Proxies:
    """The networks of proxies whose word is believed, and the family of headers they write."""

    def __init__(self, networks: Sequence[Network] = (), family: Family = "x-forwarded") -> None:
        self._networks = tuple(networks)
        self._family = family

    def trusts(self, address: str) -> bool:
        """Whether a connection from this address may say for whom it speaks."""
        if not self._networks:
            return False
        parsed = _read_address(address)
        return parsed is not None and self._is_proxy(parsed)

    def origin_of(self, peer: str, headers: RawHeaders) -> Origin:
        """Where a request that came over a connection from `peer` comes from.

        The address is the rightmost that is no trusted proxy's: what stands left of it was written
        by whoever has that address. Something that is no address ends the search, so that the last
        proxy is taken for the client. Names of headers are in lower case.
        """
        if not self.trusts(peer):
            return Origin(peer)
        if self._family == "forwarded":
            return self._by_forwarded(peer, headers)
        chain: list[bytes] = []
        schemes: list[bytes] = []
        hosts: list[bytes] = []
        for name, value in headers:
            if name == b"x-forwarded-for":
                chain.append(value)
            elif name == b"x-forwarded-proto":
                schemes.append(value)
            elif name == b"x-forwarded-host":
                hosts.append(value)
        hops = b",".join(chain).rsplit(b",", MOST_HOPS)[-MOST_HOPS:] if chain else []
        address, _ = self._rightmost(peer, [_address_in(hop) for hop in hops])
        return Origin(address, _only_scheme(schemes), _only_host(hosts))

    def _by_forwarded(self, peer: str, headers: RawHeaders) -> Origin:
        """As RFC 7239 says: each hop tells in one element for whom, by what and to which host."""
        chain = b",".join(value for name, value in headers if name == b"forwarded")
        if not chain:
            return Origin(peer)
        hops = _elements(chain)
        address, at = self._rightmost(peer, [_address_in(hop.get(b"for", b"")) for hop in hops])
        if at is None:
            return Origin(address)
        hop = hops[at]
        return Origin(
            address,
            _only_scheme([hop[b"proto"]] if b"proto" in hop else []),
            _only_host([hop[b"host"]] if b"host" in hop else []),
        )

    def _rightmost(
        self, peer: str, hops: Sequence[IPv4Address | IPv6Address | None]
    ) -> tuple[str, int | None]:
        """The rightmost address that is no proxy's, else the last one read, and where it stood."""
        address, at = peer, None
        for index in range(len(hops) - 1, -1, -1):
            hop = hops[index]
            if hop is None:
                break
            address, at = str(hop), index
            if not self._is_proxy(hop):
                break
        return address, at

    def _is_proxy(self, address: IPv4Address | IPv6Address) -> bool:
        return any(
            address in network for network in self._networks if network.version == address.version
        )


@lru_cache(maxsize=4096)
def _read_address(text: str) -> IPv4Address | IPv6Address | None:
    """An IP address; one of IPv4 inside IPv6 as what it is, one without its zone."""
    if len(text) > _LONGEST_ADDRESS:
        return None
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def _address_in(hop: bytes) -> IPv4Address | IPv6Address | None:
    """The address of a hop, which may bear a port: `192.0.2.1:80`, `[2001:db8::1]:80`."""
    text = hop.strip(b" \t")
    if len(text) > _LONGEST_ADDRESS or b"%" in text:
        return None
    if text[:1] == b"[":
        inside, bracket, port = text[1:].partition(b"]")
        if not bracket or (port and not _is_port(port[:1], port[1:])):
            return None
        text = inside
    elif text.count(b":") == 1:
        text, colon, port = text.partition(b":")
        if not _is_port(colon, port):
            return None
    return _read_address(text.decode("latin-1"))


def _is_port(colon: bytes, port: bytes) -> bool:
    return colon == b":" and port.isdigit() and len(port) <= 5


def _only_scheme(values: Sequence[bytes]) -> str | None:
    """The scheme, where exactly one was named."""
    scheme = values[0].strip().lower() if len(values) == 1 else b""
    return scheme.decode("ascii") if scheme in (b"http", b"https") else None


def _only_host(values: Sequence[bytes]) -> bytes | None:
    """The host and its port, where exactly one was named and it can be one."""
    host = values[0].strip() if len(values) == 1 else b""
    return host if _HOST.fullmatch(host) else None


def _elements(chain: bytes) -> list[dict[bytes, bytes]]:
    """The last elements of `Forwarded`, in order; the search ends at one that cannot be read.

    Read from the right, each the shortest that is one: so a quotation that a client left open
    swallows nothing that a proxy has written after it.
    """
    elements: list[dict[bytes, bytes]] = []
    rest = b""
    for part in reversed(chain.rsplit(b",", 4 * MOST_HOPS)):
        text = part + b"," + rest if rest else part
        pairs = _pairs(text)
        if pairs:
            elements.append(pairs)
        rest = b"" if pairs or not text.strip() else text
        if len(elements) == MOST_HOPS:
            break
    if rest:
        elements.append({})
    return elements[::-1]


def _pairs(element: bytes) -> dict[bytes, bytes]:
    """The pairs of an element by name in lower case; empty where it is no element of RFC 7239."""
    pairs: dict[bytes, bytes] = {}
    at = 0
    while at < len(element):
        found = _PAIR.match(element, at)
        if found is None or found[1].lower() in pairs:
            return {}
        pairs[found[1].lower()] = (
            re.sub(rb"\\(.)", rb"\1", found[2]) if found[2] is not None else found[3]
        )
        at = found.end()
    return pairs
