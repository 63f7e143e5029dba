"""App code that attacks the pipe in which its worker lays answers."""

from __future__ import annotations

import asyncio
import fcntl
import os

import pytest
from runtime_world import Play, World, invocation

from sallyport.runtime.answers import Answers
from sallyport.runtime.call import Answer, Failure, Outcome, Target
from sallyport.runtime.frames import LARGEST_LAID, RESULT, FrameError, encode, encode_answer

APP = """
import fcntl, os, struct, sys, time

def worker():
    here = sys._getframe()
    while here.f_code.co_name != "_run":
        here = here.f_back
    return here.f_locals["self"], here.f_locals["id"]

def frame(kind, id, payload):
    return struct.pack("!IBI", 5 + len(payload), kind, id) + payload

def answer(id, body=b"forged"):
    header = b'{"status":200,"headers":[]}'
    return frame(5, id, struct.pack("!I", len(header)) + header + body)

def lay(data):
    os.write(worker()[0]._outgoing._answers, data)
    return len(data)

def tell(size):
    worker()[0]._calls.sendall(frame(13, 0, struct.pack("!I", size)))

def fill(data):
    self, _ = worker()
    fcntl.fcntl(self._outgoing._answers, 1031, 1 << 20)
    laid = 0
    try:
        while True:
            laid += os.write(self._outgoing._answers, data)
    except BlockingIOError:
        return laid

def run(request, context):
    if request.query("do"):
        with open(PLACE, "w") as place:
            place.write(str(os.getpid()))
        ATTACK
        time.sleep(5)
    return {"statusCode": 200, "body": f"honest {os.getpid()}"}
"""

ATTACKS = {
    "more is told of than is there": "tell(lay(answer(worker()[1])) + 1)",
    "far more is told of than is there": "tell(2**32 - 1)",
    "nothing is told of": "tell(0)",
    "what is told has no length": "worker()[0]._calls.sendall(frame(13, 0, b''))",
    "what was laid is no frame": "tell(lay(b'x' * 100))",
    "a frame was laid in part": "tell(lay(answer(worker()[1])[:-1]))",
    "a frame was told of in part": "tell(lay(answer(worker()[1])) - 1)",
    "a frame is larger than what is laid": "tell(lay(answer(worker()[1], b'x' * 5000)))",
    "it is no answer that was laid": "tell(lay(frame(7, worker()[1], bytes(4))))",
    "another call is answered": "tell(lay(answer(worker()[1] ^ 1)))",
    "the pipe is filled with nothing": "tell(fill(b'x' * 4096))",
    "the pipe is filled with answers to nobody": "tell(fill(answer(7, b'x' * 4000)))",
    "the pipe is filled and nothing told": "fill(b'x' * 4096); os._exit(1)",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_on_the_pipe_of_answers_ends_its_worker_alone(play: Play, attack: str) -> None:
    """Each was seen to fail with a check left out of `Answers.told`, `Answers.fetch` and
    `Worker._answer`: sizes, parts, the largest frame, the kind, the id of the call."""

    async def scenario(world: World) -> None:
        place = world.folder / "attacker"
        target = _app(world, attack)
        for _ in range(30):
            await world.answer(target)
        calls = [
            world.call(
                target, request={"queryParameters": {"do": ["it"] * (n == 3)}}, timeout_ms=3_000
            )
            for n in range(8)
        ]
        outcomes = await asyncio.gather(*calls)
        told = [each.kind if isinstance(each, Failure) else each.body.decode() for each in outcomes]
        attacker = told.pop(3)
        assert attacker in ("worker_lost", "forged")
        assert all(each.startswith("honest ") for each in told)
        crew = world.pool._current[target.installation_id]
        async with asyncio.timeout(2):
            while int(place.read_text()) in {each.pid for each in crew.workers}:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    play(scenario)


def _app(world: World, attack: str) -> Target:
    place = repr(str(world.folder / "attacker"))
    return world.app(APP.replace("ATTACK", attack).replace("PLACE", place))


def test_an_answer_laid_in_advance_is_the_answer_of_no_other_call(play: Play) -> None:
    """Seen to fail with answers that are given to the first call whatever their id."""

    async def scenario(world: World) -> None:
        target = _app(world, "tell(lay(answer(worker()[1])) + lay(answer(worker()[1])))")
        for _ in range(30):
            await world.answer(target)
        outcomes: list[Outcome] = await asyncio.gather(
            *(
                world.pool.invoke(
                    target, invocation(request={"queryParameters": {"do": ["it"] * (n == 0)}})
                )
                for n in range(4)
            )
        )
        bodies = [each.body for each in outcomes if isinstance(each, Answer)]
        assert bodies[0] == b"forged"
        assert all(each.startswith(b"honest ") for each in bodies[1:])
        assert len(bodies) == 4

    play(scenario)


def test_no_more_is_held_of_what_was_laid_than_a_pipe_may_hold(play: Play) -> None:
    """Seen to fail with all read that lies there."""
    answers = Answers()
    try:
        fcntl.fcntl(answers.far, fcntl.F_SETPIPE_SZ, 1 << 20)
        frame = encode(RESULT, 1, bytes(4000))
        for _ in range((1 << 20) // LARGEST_LAID):
            os.write(answers.far, frame)
        answers.fetch()
        assert len(answers._untaken) <= 5 * 65_536
        with pytest.raises(FrameError):
            list(answers.rest())
    finally:
        answers.close_far()
        answers.close()


def test_what_was_taken_before_it_was_told_of_is_not_taken_again() -> None:
    """Seen to fail with a LAID that speaks of what `rest` gave out already refused."""
    answers = Answers()
    first, second = (encode_answer(RESULT, n, b"{}", b"x") for n in (1, 2))
    try:
        os.write(answers.far, first)
        answers.fetch()
        assert [frame.id for frame in answers.rest()] == [1]
        os.write(answers.far, second)
        told = (len(first) + len(second)).to_bytes(4, "big")
        assert [frame.id for frame in answers.told(told)] == [2]
        assert len(first) < LARGEST_LAID
    finally:
        answers.close_far()
        answers.close()
