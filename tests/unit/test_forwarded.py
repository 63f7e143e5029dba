"""T-HDR: where requests come from is believed of named proxies alone, and of nobody to their left.

Planted bugs that these tests were seen to fail on: taking the leftmost address; taking any peer's
word; reading the other family of headers too; going on past what is no address; splitting
`Forwarded` at a comma in quotes, or by quotes that a client left open; comparing an IPv4 address
that is written as IPv6 as what it is written as; believing the first of two hosts.
"""

from __future__ import annotations

import time
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sallyport.vocab.forwarded import MOST_HOPS, Origin, Proxies

NETWORKS = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")]
X = Proxies(NETWORKS)
FORWARDED = Proxies(NETWORKS, "forwarded")
PROXY, CLIENT, FORGED = "10.0.0.1", "198.51.100.7", "203.0.113.66"


def by_x(*values: str, peer: str = PROXY) -> str:
    return X.origin_of(peer, [(b"x-forwarded-for", v.encode("latin-1")) for v in values]).address


def by_forwarded(*values: str, peer: str = PROXY) -> Origin:
    headers = [(b"forwarded", value.encode("latin-1")) for value in values]
    return FORWARDED.origin_of(peer, headers)


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ((), PROXY),
        ((CLIENT,), CLIENT),
        ((f"{FORGED}, {CLIENT}",), CLIENT),
        ((FORGED, CLIENT), CLIENT),
        ((f"{FORGED}, {CLIENT}, 10.9.9.9", "10.2.2.2"), CLIENT),
        ((f"{CLIENT}:4711",), CLIENT),
        (("2001:DB8:2:0::7",), "2001:db8:2::7"),
        (("[2001:db8:2::7]:443",), "2001:db8:2::7"),
        ((f"::ffff:{CLIENT}",), CLIENT),
        ((f"{CLIENT}, ::ffff:10.1.1.1",), CLIENT),
        ((f"{CLIENT}, 2001:db8:1::5",), CLIENT),
        (("10.3.3.3, 10.4.4.4",), "10.3.3.3"),
    ],
)
def test_the_rightmost_address_that_is_no_proxys(values: tuple[str, ...], address: str) -> None:
    assert by_x(*values) == address


@pytest.mark.parametrize(
    "bad",
    [
        *("", "unknown", "_hidden", "localhost", "-1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "0x7f.1"),
        *("1.2.3.4:", "1.2.3.4:http", "1.2.3.4:123456", "[::1", "[::1]x", "::1]", "fe80::1%eth0"),
        *("\xff", "1.2.3.4\x00", "1.2.3.4 5.6.7.8", "0" * 500, "<script>", "²"),
    ],
)
def test_what_is_no_address_ends_the_search(bad: str) -> None:
    assert by_x(bad) == PROXY
    assert by_x(f"{FORGED}, {bad}") == PROXY
    assert by_x(f"{FORGED}, {bad}, 10.7.7.7") == "10.7.7.7"
    assert by_x(f"{bad}, {CLIENT}") == CLIENT


@pytest.mark.parametrize("peer", [CLIENT, "2001:db8:2::1", "::1", "", "not an address"])
def test_nobody_else_is_believed(peer: str) -> None:
    headers = [
        (b"x-forwarded-for", FORGED.encode()),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"forged.test"),
        (b"forwarded", f"for={FORGED};host=forged.test".encode()),
    ]
    for proxies in (X, FORWARDED):
        assert not proxies.trusts(peer)
        assert proxies.origin_of(peer, headers) == Origin(peer)
    assert Proxies().origin_of("127.0.0.1", headers) == Origin("127.0.0.1")


def test_only_one_family_is_read() -> None:
    assert by_forwarded().address == PROXY
    both = [(b"x-forwarded-for", FORGED.encode()), (b"forwarded", f"for={CLIENT}".encode())]
    assert FORWARDED.origin_of(PROXY, both) == Origin(CLIENT)
    both = [(b"x-forwarded-for", CLIENT.encode()), (b"forwarded", f"for={FORGED}".encode())]
    assert X.origin_of(PROXY, both) == Origin(CLIENT)


def test_scheme_and_host_count_where_there_is_one_of_each() -> None:
    def told(*pairs: tuple[str, str]) -> Origin:
        return X.origin_of(PROXY, [(name.encode(), value.encode()) for name, value in pairs])

    scheme, host = "x-forwarded-proto", "x-forwarded-host"
    assert told((scheme, "HTTPS"), (host, "a.test:8443")) == Origin(PROXY, "https", b"a.test:8443")
    assert told((host, "[2001:db8::1]:80")).host == b"[2001:db8::1]:80"
    for value in ("ftp", "https, http", "", "javascript"):
        assert told((scheme, value)).scheme is None
    for value in ("a b", "a/b", "a,b", "a@b", "", "a:b", "a" * 300, "a\r\nx: y", "é"):
        assert told((host, value)).host is None
    assert told((host, "a.test"), (host, "b.test")).host is None
    assert told((scheme, "http"), (scheme, "https")).scheme is None


@pytest.mark.parametrize(
    ("values", "origin"),
    [
        ((f"for={CLIENT}",), Origin(CLIENT)),
        ((f"For={CLIENT} ; Proto=https;host=a.test",), Origin(CLIENT, "https", b"a.test")),
        (('for="[2001:db8:2::7]:4711"',), Origin("2001:db8:2::7")),
        ((f"for={FORGED};host=forged.test, for={CLIENT}",), Origin(CLIENT)),
        ((f"for={FORGED}", f"for={CLIENT};proto=http", "for=10.5.5.5"), Origin(CLIENT, "http")),
        ((f'for={CLIENT};host="a.test"',), Origin(CLIENT, None, b"a.test")),
        ((f'by="x, for={FORGED}";for={CLIENT}',), Origin(CLIENT)),
        ((f'for="{FORGED}, for={CLIENT}',), Origin(CLIENT)),
        ((f'for={FORGED};by="\\", for={CLIENT}',), Origin(CLIENT)),
        ((f"for={FORGED}, for=unknown",), Origin(PROXY)),
        ((f"for={FORGED}, for=_x, for=10.5.5.5",), Origin("10.5.5.5")),
        ((f"for={FORGED}, nonsense",), Origin(PROXY)),
        ((f"for={FORGED}, for={CLIENT};for={FORGED}",), Origin(PROXY)),
        ((f"for={CLIENT};host=a b",), Origin(PROXY)),
        ((f"for={CLIENT}, ,",), Origin(CLIENT)),
        (("host=a.test",), Origin(PROXY)),
    ],
)
def test_forwarded(values: tuple[str, ...], origin: Origin) -> None:
    assert by_forwarded(*values) == origin


def test_long_chains_are_cut_and_cheap() -> None:
    assert by_x(",".join([CLIENT, *["10.0.0.9"] * MOST_HOPS])) == "10.0.0.9"
    before = time.process_time()
    for junk in ("," * 60_000, '"' * 60_000, "a=b;" * 15_000, 'a="\\' * 15_000, 'a=b,"' * 10_000):
        by_forwarded(junk)
        by_x(junk)
    assert time.process_time() - before < 2


octets = st.ip_addresses().filter(
    lambda a: not any(a in n for n in NETWORKS if n.version == a.version)
)
inner = st.ip_addresses(network="10.0.0.0/8")


@given(st.binary(max_size=60), octets, st.lists(inner, max_size=3))
def test_no_left_part_changes_what_proxies_wrote(forged: bytes, client: object, via: list) -> None:
    address = ip_address(str(client))
    plain = getattr(address, "ipv4_mapped", None) or address
    if any(plain in network for network in NETWORKS if network.version == plain.version):
        return
    written = ", ".join(str(hop) for hop in (client, *via)).encode()
    origin = X.origin_of(PROXY, [(b"x-forwarded-for", forged + b"," + written)])
    assert origin.address == str(plain)
    elements = ", ".join(
        f'for="[{hop}]"' if ":" in str(hop) else f"for={hop}" for hop in (client, *via)
    )
    header = forged + b", " + elements.encode()
    assert FORWARDED.origin_of(PROXY, [(b"forwarded", header)]).address == str(plain)
