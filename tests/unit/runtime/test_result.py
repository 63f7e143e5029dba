"""The platform's check of results: no worker can make the gateway send what it must not."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from sallyport.runtime.call import Answer, Failure
from sallyport.runtime.headers import REFUSED
from sallyport.runtime.result import check_failure, check_result

texts = st.text(max_size=20) | st.sampled_from(sorted(REFUSED)) | st.just("x\r\ny: z")


@given(
    st.integers() | st.text(),
    st.lists(st.tuples(texts, texts), max_size=5),
    st.binary(max_size=20),
)
def test_an_answer_can_be_sent_as_it_is(
    status: int | str, headers: list[tuple[str, str]], body: bytes
) -> None:
    header = json.dumps({"status": status, "headers": headers}).encode()
    outcome = check_result(header, body, 5).outcome
    if isinstance(outcome, Failure):
        assert outcome.kind == "bad_result"
        return
    assert 200 <= outcome.status <= 599
    for name, value in outcome.headers:
        assert re.fullmatch(r"[a-z0-9!#$%&'*+.^_`|~-]+", name)
        assert name not in REFUSED
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value)
        value.encode("latin-1")


@given(st.binary(max_size=60))
def test_any_bytes_are_an_outcome(data: bytes) -> None:
    for checked in (check_result(data, b"", 0), check_failure(data, 0)):
        assert isinstance(checked.outcome, Answer | Failure)


def test_a_worker_cannot_report_what_only_the_platform_may() -> None:
    for kind in ("timeout", "busy", "worker_lost"):
        checked = check_failure(json.dumps({"kind": kind, "message": "x"}).encode(), 0)
        assert isinstance(checked.outcome, Failure)
        assert checked.outcome.kind == "bad_result"
        assert checked.leftovers


def test_sizes_are_bounded() -> None:
    def refused(header: object, body: bytes = b"") -> bool:
        return isinstance(check_result(json.dumps(header).encode(), body, 0).outcome, Failure)

    assert refused({"status": 200, "headers": []}, b"x" * (5 * 1024 * 1024 + 1))
    assert not refused({"status": 200, "headers": []}, b"x" * (5 * 1024 * 1024))
    assert refused({"status": 200, "headers": [["x", "y"]] * 101})
    assert refused({"status": 200, "headers": [["x", "y" * 40_000]]})
