"""The frame protocol: whatever arrives, in whatever pieces."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sallyport.runtime import frames
from sallyport.runtime.frames import Frame, FrameError, Reader

some_frames = st.lists(
    st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=40))
)


@given(some_frames, st.data())
def test_frames_survive_any_cut(sent: list[tuple[int, int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(frames.encode(*each) for each in sent)
    reader = Reader(largest=40)
    got: list[Frame] = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        got += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert got == [Frame(*each) for each in sent]


@given(st.binary(max_size=200))
def test_any_bytes_give_frames_within_bounds_or_an_error(data: bytes) -> None:
    reader = Reader(largest=20)
    try:
        for frame in reader.feed(data):
            assert len(frame.payload) <= 20
    except FrameError:
        pass
    else:
        assert 0 < reader.missing <= 9 + 20


@pytest.mark.parametrize("length", [0, 4, 5 + 21, 2**31, 2**32 - 1])
def test_lengths_out_of_bounds_are_refused_before_the_payload_comes(length: int) -> None:
    with pytest.raises(FrameError):
        list(Reader(largest=20).feed(struct.pack("!IBI", length, 1, 1)))


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_header_and_body_come_apart_as_they_went_together(header: bytes, body: bytes) -> None:
    (frame,) = Reader(largest=100).feed(b"".join(frames.encode_parts(1, 2, header, body)))
    assert frames.split(frame.payload) == (header, body)


@given(st.binary(max_size=40))
def test_any_payload_splits_or_is_refused(payload: bytes) -> None:
    try:
        header, body = frames.split(payload)
    except FrameError:
        return
    assert struct.pack("!I", len(header)) + header + body == payload
