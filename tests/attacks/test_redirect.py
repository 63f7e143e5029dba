"""T-REDIR: nobody is sent anywhere but to an address that the client registered.

Planted bugs that these tests were seen to fail on: `startswith` instead of equality; comparing
lower-cased addresses; checking after the request's other errors; taking the last of two
`redirect_uri`.
"""

from __future__ import annotations

import httpx
import pytest

from access_world import CALLBACK, actor
from oauth_world import Server, on_page, redirected
from sallyport.control.callbacks import check_callback, check_callbacks
from sallyport.store import integrations
from sallyport.vocab.errors import Refused

WRONG = [
    "https://client.test/cb",
    "https://client.test/cb?a=1&b=2",
    "https://client.test/cb?a=1#",
    "https://client.test/cb?a=1#x",
    "https://client.test/cb?a=1 ",
    " https://client.test/cb?a=1",
    "https://client.test/cb?a=1\t",
    "https://client.test/cb?a=1\n",
    "https://client.test/cb/?a=1",
    "https://client.test//cb?a=1",
    "https://client.test/./cb?a=1",
    "https://client.test/x/../cb?a=1",
    "https://client.test/%63b?a=1",
    "https://client.test/cb%2e?a=1",
    "https://client.test/CB?a=1",
    "https://CLIENT.test/cb?a=1",
    "HTTPS://client.test/cb?a=1",
    "http://client.test/cb?a=1",
    "https://client.test:443/cb?a=1",
    "https://client.test:8443/cb?a=1",
    "https://client.test./cb?a=1",
    "https://client.test.evil.test/cb?a=1",
    "https://client.test@evil.test/cb?a=1",
    "https://evil.test@client.test/cb?a=1",
    "https://client.test\\@evil.test/cb?a=1",
    "https://evil.test\\.client.test/cb?a=1",
    "https://сlient.test/cb?a=1",
    "//client.test/cb?a=1",
    "/cb?a=1",
    "client.test/cb?a=1",
    "javascript:alert(1)//https://client.test/cb?a=1",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "https://evil.test/?https://client.test/cb?a=1",
    "x" * 5000,
]


@pytest.mark.parametrize("address", WRONG)
@pytest.mark.parametrize("other_error", [{}, {"response_type": "token"}, {"scope": "nonsense"}])
def test_an_address_that_is_not_registered_is_never_gone_to(
    server: Server, address: str, other_error: dict[str, str]
) -> None:
    wanted = server.request(redirect_uri=address, **other_error)
    assert on_page(server.ask(wanted))["title"] == "Wrong callback URL"
    for decision in ("allow", "deny"):
        on_page(server.answer(wanted, decision=decision))


def test_two_redirect_uris_are_none(server: Server) -> None:
    for second in (CALLBACK, "https://evil.test/"):
        for pair in ((CALLBACK, second), (second, CALLBACK)):
            wanted = [
                *server.request(redirect_uri=None).items(),
                *[("redirect_uri", each) for each in pair],
            ]
            on_page(server.ask(wanted))
            on_page(server.answer(wanted))


def test_two_client_ids_are_none(server: Server) -> None:
    wanted = [*server.request().items(), ("client_id", server.world.rival.client_id)]
    assert on_page(server.ask(wanted))["title"] == "Unknown integration"


def test_other_parameters_twice_are_told_to_the_registered_address(server: Server) -> None:
    for name in ("scope", "state", "response_type", "sns", "code_challenge"):
        wanted = [*server.request(code_challenge="x").items(), (name, "y")]
        told = redirected(server.ask(wanted))
        assert told["error"] == "invalid_request"
        assert name in told["error_description"]


def test_a_missing_address_with_two_registered_is_refused(server: Server) -> None:
    world = server.world
    owner = actor(world.developer)

    def register(*addresses: str) -> None:
        change = world.store.write(
            integrations.change_integration, owner, world.client_id, redirect_uris=addresses
        )
        server.act(change)

    register(CALLBACK, "https://client.test/second")
    try:
        on_page(server.ask(server.request(redirect_uri=None)))
        on_page(server.ask(server.request(redirect_uri="")))
    finally:
        register(CALLBACK)


def test_an_unknown_client_is_no_reason_to_go_anywhere(server: Server) -> None:
    for client_id in (None, "", "x", "00000000-0000-4000-8000-000000000000", "' OR 1=1 --"):
        on_page(server.ask(server.request(client_id=client_id)))


def test_a_return_from_sign_in_stays_on_this_platform(server: Server) -> None:
    answer = httpx.get(
        f"{server.url}/authorize",
        params=server.request(state="https://evil.test/", prompt="consent login"),
    )
    assert answer.headers["location"].startswith("/login?next=%2Fauthorize%3F")


REGISTRABLE = [
    "https://client.test/cb?a=1",
    "https://client.test",
    "https://client.test/",
    "https://client.test:8443/a/b.c/~d?x=y&z=%C3%A9",
    "https://192.0.2.7/cb",
    "https://[2001:db8::1]/cb",
    "https://xn--bcher-kva.test/cb",
    "http://localhost:9876/callback",
    "http://127.0.0.1/cb",
    "http://[::1]:8080/cb",
]


@pytest.mark.parametrize("address", REGISTRABLE)
def test_these_can_be_registered(address: str) -> None:
    check_callback(address)


UNREGISTRABLE = [
    "",
    "cb",
    "/cb",
    "//client.test/cb",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "myapp://callback",
    "urn:ietf:wg:oauth:2.0:oob",
    "http://client.test/cb",
    "http://localhost.evil.test/cb",
    "http://127.0.0.2/cb",
    "http://127.1/cb",
    "http://2130706433/cb",
    "http://0x7f000001/cb",
    "http://[::ffff:127.0.0.1]/cb",
    "HTTPS://client.test/cb",
    "https://CLIENT.test/cb",
    "https://*.client.test/cb",
    "https://client.test/*",
    "https://client.test/cb?x=*",
    "https://client.test/cb#",
    "https://client.test/cb#x",
    "https://client.test/cb?",
    "https://user@client.test/cb",
    "https://user:pass@client.test/cb",
    "https://@client.test/cb",
    "https://client.test\\@evil.test/",
    "https://client.test:443/cb",
    "https://client.test:/cb",
    "https://client.test:0/cb",
    "https://client.test:08443/cb",
    "https://client.test:65536/cb",
    "https://client.test:x/cb",
    "https://[2001:DB8::1]/cb",
    "https://[::1",
    "https:///cb",
    "https://",
    "https:client.test/cb",
    "https://client.test/a/../cb",
    "https://client.test/./cb",
    "https://client.test/%2e%2e/cb",
    "https://client.test/%2E%2E/cb",
    "https://client.test/%zz",
    "https://client.test/%c3%a9",
    "https://client.test/é",
    "https://bücher.test/",
    "https://client.test/a b",
    "https://client.test/a\tb",
    "https://client.test/a\r\nLocation: x",
    'https://client.test/"><script>',
    "https://client.test/cb?code=1",
    "https://client.test/cb?x=1&state=2",
    "https://client.test/cb?%69ss=1",
    "https://client.test/" + "a" * 2000,
]


@pytest.mark.parametrize("address", UNREGISTRABLE)
def test_these_cannot_be_registered(address: str) -> None:
    with pytest.raises(Refused):
        check_callback(address)


def test_one_to_ten_different_ones() -> None:
    ten = [f"https://client.test/{n}" for n in range(10)]
    assert check_callbacks(ten) == tuple(ten)
    for wrong in ([], [*ten, "https://client.test/10"], [ten[0], ten[0]]):
        with pytest.raises(Refused):
            check_callbacks(wrong)
