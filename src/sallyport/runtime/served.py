"""The host's side of a gateway process's calls: they go into the pool, outcomes go back."""

from __future__ import annotations

import time

from sallyport.runtime import line as kinds
from sallyport.runtime.call import Answer, Failure, Outcome, Target
from sallyport.runtime.frames import Frame, FrameError, split
from sallyport.runtime.line import Line
from sallyport.runtime.pool import Pool
from sallyport.runtime.turns import Done
from sallyport.runtime.wire import read_call, read_target, write_outcome

STALE = "The gateway could not confirm in time what it decided the call from"


def serve_calls(pool: Pool, line: Line) -> None:
    """Run every call that comes on the line.

    A call that was decided from what may be out of date by now does not start: its gateway was held
    up, and whoever closed a door waits no longer than that for it.
    """
    targets: dict[int, Target] = {}

    def take_target(frame: Frame) -> None:
        targets[frame.id] = read_target(frame.payload)

    def drop_target(frame: Frame) -> None:
        targets.pop(frame.id, None)

    def take_call(frame: Frame) -> None:
        header, body = split(frame.payload)
        call = read_call(header)
        target = targets.get(call.target)
        if target is None:
            raise FrameError("a call names a target that was not sent")
        done = _answering(line, frame.id)
        if call.fresh_until is not None and time.monotonic() >= call.fresh_until:
            done(Failure("stale", STALE, 0))
        else:
            pool.submit(target, call.invocation(body), done)

    line.frames[kinds.TARGET] = take_target
    line.frames[kinds.TARGET_GONE] = drop_target
    line.frames[kinds.CALL] = take_call


def _answering(line: Line, id: int) -> Done:
    def done(outcome: Outcome) -> None:
        if isinstance(outcome, Answer):
            line.send_parts(kinds.RESULT, id, write_outcome(outcome), outcome.body)
        else:
            line.send(kinds.FAILURE, id, write_outcome(outcome))

    return done
