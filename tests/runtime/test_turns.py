"""Several calls given to one worker at once: each still runs alone, once, and pays for itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

import pytest
from runtime_world import Play, World, invocation

from sallyport.runtime.call import Answer, Failure, Outcome, Target
from sallyport.runtime.running import CapabilityAnswer, RunningCall
from sallyport.runtime.turns import QUICK_US, Done, Paces
from sallyport.runtime.worker import Worker

APP = """
import logging, os, time
from sallyport_app import _platform

def run(request, context):
    todo = request.query("do")
    if todo == "sleep silently":
        time.sleep(1.5)
        return {"statusCode": 200}
    if todo == "die silently":
        os._exit(9)
    print("ran", context.invocation_id)
    if todo == "die":
        os._exit(9)
    if todo == "sleep":
        time.sleep(1.5)
    if todo == "sleep and log":
        time.sleep(0.2)
        logging.warning("awake")
    if todo == "ask":
        reply = _platform.ask("x", "GET", "/")
        return {"statusCode": 200, "body": reply.body}
    if todo == "large":
        return {"statusCode": 200, "body": {"pid": os.getpid(), "body": request.body * 9000}}
    if todo == "raw":
        os.write(1, f"raw {context.invocation_id}\\n".encode())
    return {"statusCode": 200, "body": {"pid": os.getpid(), "body": request.body}}
"""


async def quick(world: World, **facts: object) -> Target:
    """An app that is known to be quick: two workers are there, and wait."""
    target = world.app(APP, **facts)
    for _ in range(30):
        await world.answer(target)
    world.lines.clear()
    return target


async def together(world: World, target: Target, *asked: str, **facts: int) -> list[Outcome]:
    """The outcomes of calls that come at the same moment, one for each thing to do."""
    outcomes = await asyncio.gather(
        *(
            world.pool.invoke(
                target,
                invocation(
                    id=f"call-{n}",
                    body=str(n).encode(),
                    request={"queryParameters": {"do": [todo]}},
                    context={"accountId": f"account-{n}"},
                    **facts,
                ),
            )
            for n, todo in enumerate(asked)
        )
    )
    runs = Counter(line.text for line in world.lines if line.text.startswith("ran "))
    assert runs == {f"ran call-{n}": 1 for n in range(len(asked))}, "not each call ran once"
    said = {(line.invocation_id, line.text) for line in world.lines}
    assert said >= {(f"call-{n}", f"ran call-{n}") for n in range(len(asked))}
    return outcomes


def test_quick_calls_share_a_worker_and_each_gets_its_own_answer(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = await quick(world)
        outcomes = await together(world, target, *["" for _ in range(50)])
        answers = [json.loads(each.body) for each in outcomes if isinstance(each, Answer)]
        assert [each["body"] for each in answers] == [str(n) for n in range(50)]
        # A busy machine may take some of them back, for other workers.
        assert Counter(each["pid"] for each in answers).most_common(1)[0][1] > 4

    play(scenario)


@pytest.mark.parametrize("pace_us", [200, 900])
@pytest.mark.parametrize("side_by_side", [1, 4])
def test_quick_calls_start_no_worker_that_no_processor_is_there_for(
    play: Play, monkeypatch: pytest.MonkeyPatch, side_by_side: int, pace_us: float
) -> None:
    """Seen to fail with no room made where it is crowded, and with room for slower calls."""

    async def scenario(world: World) -> None:
        target = await quick(world)
        assert world.pool.workers == 1
        monkeypatch.setattr(Paces, "of", lambda _self, _handler: pace_us)
        ended = asyncio.Queue[Outcome]()
        for _ in range(16):
            world.pool.submit(target, invocation(), ended.put_nowait)
        assert (world.pool.workers > 1) is (side_by_side > 1 or pace_us > QUICK_US)
        for _ in range(16):
            assert isinstance(await asyncio.wait_for(ended.get(), 10), Answer)

    play(scenario, side_by_side=side_by_side)


def test_nothing_waits_behind_a_call_that_turns_out_slow(play: Play) -> None:
    """Seen to fail with calls that stay where they were given (`_look` does nothing)."""

    async def scenario(world: World) -> None:
        target = await quick(world)
        ends: list[float] = []
        all_ended = asyncio.Event()

        def done(_outcome: Outcome) -> None:
            ends.append(time.monotonic())
            if len(ends) == 20:
                all_ended.set()

        began = time.monotonic()
        world.pool.submit(
            target, invocation(request={"queryParameters": {"do": ["sleep"]}}), lambda _: None
        )
        for _ in range(20):
            world.pool.submit(target, invocation(), done)
        await asyncio.wait_for(all_ended.wait(), 10)
        assert max(ends) - began < 1.4

    play(scenario)


def test_a_worker_that_dies_takes_no_waiting_call_along(play: Play) -> None:
    """Seen to fail with all that a dead worker was given lost."""

    async def scenario(world: World) -> None:
        target = await quick(world)
        asked = ["" for _ in range(20)]
        asked[5] = asked[11] = "die"
        outcomes = await together(world, target, *asked)
        lost = [n for n, each in enumerate(outcomes) if isinstance(each, Failure)]
        assert lost == [5, 11]

    play(scenario)


def test_a_time_limit_counts_from_when_a_call_begins_and_ends_no_other(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = await quick(world, memory_mb=256)
        asked = ["" for _ in range(12)]
        asked[3] = "sleep"
        outcomes = await together(world, target, *asked, timeout_ms=600)
        kinds = {n: each.kind for n, each in enumerate(outcomes) if isinstance(each, Failure)}
        assert kinds == {3: "timeout"}

    play(scenario)


def test_what_a_call_asks_for_is_asked_for_its_own_account(play: Play) -> None:
    """Seen to fail with requests read before the answers that came ahead of them."""
    worker: Worker | None = None

    async def capability(running: RunningCall, _payload: bytes) -> CapabilityAnswer:
        if worker is not None and worker._calls is not None:
            worker._calls.resume()
        return b'{"status":200,"headers":[]}', str(running.account_id).encode()

    async def scenario(world: World) -> None:
        target = await quick(world)
        asked = ["ask" if n % 3 else "" for n in range(60)]
        nonlocal worker
        (worker,) = world.pool._current[target.installation_id].workers
        assert worker._calls is not None
        # As if the answers were the last thing that the loop comes to read.
        worker._calls.pause()
        outcomes = await together(world, target, *asked)
        for n, outcome in enumerate(outcomes):
            assert isinstance(outcome, Answer)
            if asked[n]:
                assert outcome.body == f"account-{n}".encode()

    play(scenario, capability)


def test_raw_output_belongs_to_the_call_that_wrote_it(play: Play) -> None:
    """Seen to fail with answers that do not wait until the output is read."""

    async def scenario(world: World) -> None:
        target = await quick(world)
        asked = ["raw" if n % 2 else "" for n in range(40)]
        await together(world, target, *asked)
        raw = [line for line in world.lines if line.text.startswith("raw ")]
        assert len(raw) == 20
        assert all(line.text == f"raw {line.invocation_id}" for line in raw)

    play(scenario)


def test_an_answer_waits_for_no_slow_call_behind_it(play: Play) -> None:
    """Seen to fail with answers that lie until the worker tells of them."""

    async def scenario(world: World) -> None:
        target = await quick(world)
        # Who looks after memory looks at answers too.
        world.pool._ticker.cancel()
        began = time.monotonic()
        ends = await _ends(world, target, "", "", "", "sleep silently")
        assert ends[2] - began < 1.4
        assert ends[3] - began > 1.4

    play(scenario)


def test_an_answer_that_lies_untold_is_not_lost_with_its_worker(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail with nothing read of what a dead worker had laid down."""
    # As if it died before anybody looked.
    monkeypatch.setattr(Worker, "_catch_up", lambda self: None)

    async def scenario(world: World) -> None:
        target = await quick(world)
        outcomes: dict[int, Outcome] = {}
        await _ends(world, target, "", "", "", "die silently", "", outcomes=outcomes)
        kinds = [outcomes[n].kind if isinstance(outcomes[n], Failure) else "" for n in range(5)]
        assert kinds == ["", "", "", "worker_lost", ""]

    play(scenario)


async def _ends(
    world: World, target: Target, *asked: str, outcomes: dict[int, Outcome] | None = None
) -> list[float]:
    """When each of some calls that come together had its outcome."""
    ends = [0.0] * len(asked)
    ended = [asyncio.Event() for _ in asked]

    def at(n: int) -> Done:
        def done(outcome: Outcome) -> None:
            ends[n] = time.monotonic()
            ended[n].set()
            if outcomes is not None:
                outcomes[n] = outcome

        return done

    for n, todo in enumerate(asked):
        world.pool.submit(target, invocation(request={"queryParameters": {"do": [todo]}}), at(n))
    await asyncio.gather(*(each.wait() for each in ended))
    return ends


def test_large_answers_keep_their_place_among_small_ones(play: Play) -> None:
    """Seen to fail with what was laid down told of after what is said behind it."""

    async def scenario(world: World) -> None:
        target = await quick(world)
        asked = ["large" if n % 3 == 1 else "" for n in range(60)]
        outcomes = await together(world, target, *asked)
        for n, outcome in enumerate(outcomes):
            assert isinstance(outcome, Answer)
            times = 9000 if asked[n] else 1
            assert json.loads(outcome.body)["body"] == str(n) * times

    play(scenario)


def test_stopping_an_installation_runs_none_that_has_not_begun(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = await quick(world)
        outcomes: list[Outcome] = []
        slow = invocation(request={"queryParameters": {"do": ["sleep"]}})
        world.pool.submit(target, slow, outcomes.append)
        for _ in range(5):
            world.pool.submit(target, invocation(), outcomes.append)
        await asyncio.sleep(0)
        await world.pool.stop_installation(target.installation_id)
        kinds = [each.kind if isinstance(each, Failure) else "answer" for each in outcomes]
        assert kinds == ["busy"] * 5 + ["answer"]

    play(scenario)


def test_a_process_left_behind_ends_the_worker_before_the_next_call(play: Play) -> None:
    """Seen to fail with a worker that goes on to the next call of its own accord."""

    async def scenario(world: World) -> None:
        target = world.app("""
            import os, time

            def run(request, context):
                if request.query("do"):
                    if os.fork() == 0:
                        time.sleep(60)
                return {"statusCode": 200, "body": str(os.getpid())}
        """)
        for _ in range(30):
            await world.answer(target)
        outcomes = await asyncio.gather(
            *(
                world.pool.invoke(
                    target, invocation(request={"queryParameters": {"do": ["1"] * (n == 2)}})
                )
                for n in range(6)
            )
        )
        pids = [each.body for each in outcomes if isinstance(each, Answer)]
        assert len(pids) == 6
        assert pids[0] == pids[1] == pids[2]
        assert pids[2] not in pids[3:]

    play(scenario)


def test_what_a_call_logs_does_not_make_it_shorter(play: Play) -> None:
    """Seen to fail with the clock begun anew whenever something is read of the worker."""

    async def scenario(world: World) -> None:
        target = await quick(world)
        (outcome,) = await together(world, target, "sleep and log")
        assert isinstance(outcome, Answer)
        assert outcome.duration_us >= 200_000

    play(scenario)


def test_the_time_limit_of_a_call_begins_when_its_worker_can_know_of_it(play: Play) -> None:
    """Seen to fail with the limit counted from before the call was sent."""

    async def scenario(world: World) -> None:
        target = world.app(APP)
        await world.answer(target)
        ended = asyncio.get_running_loop().create_future()
        sleep = {"queryParameters": {"do": ["sleep"]}}
        asked = invocation(request=sleep, timeout_ms=300)
        world.pool.submit(target, asked, ended.set_result)
        # The loop is held up before it sends.
        time.sleep(0.1)  # noqa: ASYNC251  nothing else holds a loop up
        failure = await asyncio.wait_for(ended, 10)
        assert failure.kind == "timeout"
        assert failure.duration_us >= 299_000

    play(scenario)
