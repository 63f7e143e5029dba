"""No request is decided for one path and delivered for another.

Four views of each request must agree: what its bytes say (read here by a reader of its own), what
was decided (the record), what the handler was given, and whose worker it was given to. Planted bugs
that this was seen to fail on: a path that is decoded before it is delivered; addresses kept under
their path in lower case, or under its length; the query taken for a part of the path. With
`SALLYPORT_CASES=10000` it tries as many lists of requests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decision_world import VERSIONS, Minted
from protocol_world import Both, outcome_of, read_replies, two_servers
from sallyport.runtime.call import Invocation, Outcome, Target

CASES = int(os.environ.get("SALLYPORT_CASES", "300"))

PIECES = (
    *("/things", "/things", "/things/1", "/things/x/y", "/things/Ab", "/things/aB"),
    *("/things/a%20b", "/things/%C3%A9", "/things/%25", "/things/x/%25y"),
    *("/", "//", "/.", "/..", "/../things", "/./things", "/%2e%2e/things", "/%2E%2E"),
    *(
        "/%74hings",
        "/THINGS",
        "/things%2f1",
        "/things%2F1",
        "/a%20b",
        "/%C3%A9",
        "/%c3%a9",
        "/\xe9",
    ),
    *(
        "/;x",
        ";x=1",
        "/things;v=1",
        "%00",
        "%0d%0a",
        "\\",
        "/things\\1",
        "/%5c",
        "+",
        "%2B",
        "~",
        ":",
    ),
    *(
        "?",
        "?a=/things/1",
        "?/../old",
        "#",
        "%3F",
        "%23",
        "/apps/",
        "@",
        "*",
        "&",
        "=",
        "%25",
        "%2525",
    ),
)
# The long form takes as long as it takes.
pytestmark = pytest.mark.timeout(120 if CASES <= 300 else 0)

UNRESERVED = re.compile(rb"[A-Za-z0-9\-._~]")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with two_servers(tmp_path_factory.mktemp("one")) as made:
        good = made.loop.run_until_complete(good_tokens(made))
        # Most calls are to come to the later gates.
        made.history.tokens[:] = good * 9 + made.history.tokens
        yield made
        assert len(made.ran) > CASES // 10, "hardly any request was let in"


async def good_tokens(both: Both) -> list[Minted]:
    """The tokens that open `/things/1`."""
    found = []
    for token in both.history.tokens:
        site_id = both.history.site_of[token.grant_id]
        target = f"/svc/jira/{site_id}/apps/{both.world.app.id}_{token.environment_id}/things/1"
        lines = (f"GET {target} HTTP/1.1", "Host: a", f"Authorization: Bearer {token.raw}", "", "")
        protocol, wire = both.fast.connect()
        protocol.data_received("\r\n".join(lines).encode())
        await both.fast.settle()
        if bytes(wire.sent).startswith(b"HTTP/1.1 200"):
            found.append(token)
        wire.close()
    assert found
    return found


def is_canonical(path: str) -> bool:
    """Whether there is one way to read a path, found without the code under test."""
    for segment in path.split("/")[1:]:
        raw = segment.encode("latin-1")
        plain = unquote_to_bytes(raw)
        again = b"".join(
            bytes((byte,)) if UNRESERVED.match(bytes((byte,))) else b"%%%02X" % byte
            for byte in plain
        )
        kept = re.sub(rb"[!$&'()*+,=:@]", lambda found: b"%%%02X" % found[0][0], raw)
        if again != re.sub(rb"%[0-9A-F]{2}", _readable, kept) or plain in (b"", b".", b".."):
            return False
        if re.search(rb"[/\\;\x00-\x1f\x7f]|%[0-9A-Fa-f]{2}", plain):
            return False
    return True


def _readable(found: re.Match[bytes]) -> bytes:
    byte = bytes((int(found[0][1:], 16),))
    return found[0] if not UNRESERVED.match(byte) else b"\0"


def route_of(path: str, method: str) -> set[str]:
    """The keys that a path may have in either version of the app."""
    found = set()
    for routes in VERSIONS:
        for key, verb, pattern, _ in routes:
            rest = re.escape(pattern).replace(r"/\*\*", "(/[^/]+)+").replace(r"\*", "[^/]+")
            if verb == method and re.fullmatch(rest, path):
                found.add(key)
    return found


@settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    asked=st.lists(
        st.tuples(
            st.integers(0, 59),
            st.sampled_from(("cloud id", "host", "absolute")),
            st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join),
            st.sampled_from(("GET", "GET", "POST")),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_what_is_decided_is_what_is_delivered(
    both: Both, asked: list[tuple[int, str, str, str]]
) -> None:
    history, given_to = both.history, []

    def submit(target: Target, call: Invocation, done: Callable[[Outcome], None]) -> None:
        given_to.append((target, call))
        both.ran.append(call)
        both.loop.call_soon(done, outcome_of(call))

    async def invoke(target: Target, call: Invocation) -> Outcome:
        given_to.append((target, call))
        return outcome_of(call)

    async def case() -> None:
        data, wanted = b"", []
        for number, form, path, method in asked:
            token = history.tokens[number % len(history.tokens)]
            site_id = history.site_of[token.grant_id]
            host = history.gateway._hosts[site_id]
            app = f"apps/{both.world.app.id}_{token.environment_id}{path}"
            target = f"/svc/jira/{site_id}/{app}"
            if form == "host":
                target = f"/gateway/api/svc/jira/{app}"
            elif form == "absolute":
                target = f"http://{host}{target}"
            head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n"
            data += f"{head}Authorization: Bearer {token.raw}\r\n\r\n".encode("latin-1")
            wanted.append((site_id, token.environment_id, path.partition("?")[0], path, method))
        both.fast.door.submit, both.fast.gateway._invoke = submit, invoke
        protocol, wire = both.fast.connect()
        protocol.data_received(data)
        await both.fast.settle()
        replies = read_replies(bytes(wire.sent), iter(()))
        wire.close()
        await both.fast.settle()
        kept = await both.records(replies)
        runs = list(given_to)
        for reply, (site_id, environment_id, path, whole, method) in zip(
            replies, wanted, strict=False
        ):
            row = kept.get(reply.header("atl-request-id") or "")
            if row is None:
                continue
            # What was decided is what was asked.
            assert row.path.endswith(f"/apps/{both.world.app.id}_{environment_id}{path}")
            assert row.method == method
            if row.invocation_id is None:
                continue
            # What is delivered is what was decided, by the path alone.
            ran, call = runs.pop(0)
            assert call.id == row.invocation_id
            assert call.request["path"] == path
            assert call.request["method"] == method
            assert is_canonical(path), path
            assert row.route_key in route_of(path, method)
            assert call.context["moduleKey"] == row.route_key
            assert (ran.site_id, ran.environment_id) == (site_id, environment_id)
            assert (row.site_id, row.environment_id) == (site_id, environment_id)
            assert ran.installation_id == row.installation_id == call.context["installationId"]
            asked_query = whole.partition("?")[2]
            assert bool(call.request["queryParameters"]) <= bool(asked_query)
        assert runs == []

    given_to.clear()
    both.loop.run_until_complete(case())
