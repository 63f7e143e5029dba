"""URLs in one plain form, declared hosts, and addresses that may be reached."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sallyport.capabilities.addresses import is_declared, may_be_called
from sallyport.vocab.urls import read_url

PRIVATE = (
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "224.0.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
)
PUBLIC = (
    "8.8.8.8",
    "93.184.216.34",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)


@pytest.mark.parametrize("text", PRIVATE)
def test_no_app_reaches_what_is_not_public(text: str) -> None:
    assert not may_be_called(ipaddress.ip_address(text), ())


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_reached(text: str) -> None:
    assert may_be_called(ipaddress.ip_address(text), ())


def test_the_operator_lets_apps_reach_a_private_network() -> None:
    allowed = (ipaddress.ip_network("10.1.0.0/16"),)
    assert may_be_called(ipaddress.ip_address("10.1.2.3"), allowed)
    assert may_be_called(ipaddress.ip_address("::ffff:10.1.2.3"), allowed)
    assert not may_be_called(ipaddress.ip_address("10.2.2.3"), allowed)
    assert not may_be_called(ipaddress.ip_address("127.0.0.1"), allowed)


@given(st.ip_addresses(v=4))
def test_an_address_in_disguise_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    plain = may_be_called(address, ())
    mapped = ipaddress.IPv6Address(0xFFFF_0000_0000 | int(address))
    assert may_be_called(mapped, ()) == plain
    sixtofour = ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80))
    assert not may_be_called(sixtofour, ())


@pytest.mark.parametrize(
    "text",
    [
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.01/",
        "http://1.2.3.4.5/",
        "http://a.b.0x1/",
        "http://example.com./",
        "http://user@example.com/",
        "http://user:pass@example.com/",
        "http://example.com@evil.example/",
        "http://example.com\\@evil.example/",
        "http://example.com%2eevil.example/",
        "http://example.com\t.evil.example/",
        "http://exa mple.com/",
        "http://exämple.com/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:80:80/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http:///path",
        "http:example.com",
        "//example.com/",
        "example.com",
        "file:///etc/passwd",
        "gopher://example.com/",
        "ftp://example.com/",
        "data:text/plain,x",
        "javascript://example.com/",
        "http://example.com/\r\nX: y",
        "http://example.com/\x00",
        "http://example.com/" + "x" * 9000,
        "",
    ],
)
def test_what_parsers_read_differently_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_url(text)


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_a_value_error(text: str) -> None:
    for each in (text, f"https://{text}", f"https://a.example/{text}"):
        try:
            url = read_url(each)
        except ValueError:
            continue
        assert read_url(str(url)) == url


@pytest.mark.parametrize(
    ("entry", "url", "covered"),
    [
        ("api.example.com", "https://api.example.com/v1", True),
        ("api.example.com", "https://API.Example.COM/v1", True),
        ("api.example.com", "https://api.example.com:8443/", True),
        ("api.example.com", "http://api.example.com/", False),
        ("http://api.example.com", "http://api.example.com/", True),
        ("http://api.example.com", "https://api.example.com/", False),
        ("https://api.example.com/only/here?x", "https://api.example.com/elsewhere", True),
        ("https://api.example.com:8443", "https://api.example.com:8443/", True),
        ("https://api.example.com:8443", "https://api.example.com/", False),
        ("api.example.com", "https://xapi.example.com/", False),
        ("api.example.com", "https://api.example.com.evil.example/", False),
        ("*.example.com", "https://a.example.com/", True),
        ("*.example.com", "https://a.b.example.com/", True),
        ("*.example.com", "https://example.com/", False),
        ("*.example.com", "https://evilexample.com/", False),
        ("https://*.example.com", "https://a.example.com/", True),
        ("*", "https://anything.example/", True),
        ("*", "http://anything.example/", False),
        ("*.0.0.1", "https://127.0.0.1/", False),
        ("a*.example.com", "https://ab.example.com/", False),
        ("", "https://example.com/", False),
    ],
)
def test_entries_cover_hosts(entry: str, url: str, covered: bool) -> None:
    assert is_declared(read_url(url), (entry,)) is covered
    assert not is_declared(read_url(url), ())
