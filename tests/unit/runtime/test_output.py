"""Raw output: what is read belongs to the call that wrote it."""

from __future__ import annotations

import asyncio
import os

from sallyport.runtime.output import RawOutput


def test_what_is_written_after_one_looked_who_runs_is_read_later() -> None:
    """Seen to fail with all read that is there by then."""
    told: list[tuple[str, bytes]] = []
    running = "one"

    async def scenario() -> None:
        nonlocal running
        reading, writing = os.pipe()
        os.set_blocking(reading, False)

        def look() -> None:
            if running == "one":
                os.write(writing, b"of two\n")

        output = RawOutput(
            asyncio.get_running_loop(), reading, lambda line: told.append((running, line)), look
        )
        os.write(writing, b"of one\n")
        while not told:  # noqa: ASYNC110
            await asyncio.sleep(0)
        running = "two"
        while len(told) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        output.close()
        os.close(writing)

    asyncio.run(scenario())
    assert told == [("one", b"of one"), ("two", b"of two")]


def test_what_is_written_after_a_drain_is_not_read_with_what_was_there() -> None:
    """Seen to fail with as much read as was there before the drain."""
    told: list[tuple[str, bytes]] = []
    running = "one"

    async def scenario() -> None:
        nonlocal running
        reading, writing = os.pipe()
        os.set_blocking(reading, False)

        def look() -> None:
            # As where the worker has said meanwhile that it waits.
            if running == "one":
                output.drain()
                os.write(writing, b"of two\n")

        output = RawOutput(
            asyncio.get_running_loop(), reading, lambda line: told.append((running, line)), look
        )
        os.write(writing, b"of one\n")
        while not told:  # noqa: ASYNC110
            await asyncio.sleep(0)
        running = "two"
        while len(told) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        output.close()
        os.close(writing)

    asyncio.run(scenario())
    assert told == [("one", b"of one"), ("two", b"of two")]
