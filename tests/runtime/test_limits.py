"""Each limit of a call: what is refused, under which name, and that it is counted."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from runtime_world import Play, World, invocation

from sallyport.observe.metrics import LIMITS_REACHED


def reached(limit: str) -> float:
    """How often a limit has been reached in this process."""
    found = LIMITS_REACHED.labels(limit)._value.get()
    assert isinstance(found, float)
    return found


def test_a_function_out_of_memory_is_told_apart_and_its_worker_is_replaced(play: Play) -> None:
    source = """
        import os
        kept = []
        def run(request):
            while True:
                kept.append(bytearray(1 << 20))
        def pid(request):
            return {"statusCode": 200, "body": str(os.getpid())}
    """

    async def scenario(world: World) -> None:
        before = reached("memory")
        target = world.app(source, "run", "pid", memory_mb=128)
        first = (await world.answer(target, "pid")).body
        failure = await world.failure(target, timeout_ms=20_000)
        assert failure.kind == "out_of_memory"
        assert "MemoryError" in world.texts("ERROR")[-1]
        assert (await world.answer(target, "pid")).body != first
        assert reached("memory") == before + 1

    play(scenario)


def test_many_small_processes_together_are_out_of_memory_too(play: Play) -> None:
    source = """
        import os, time
        def run(request):
            for _ in range(4):
                if os.fork() == 0:
                    data = bytearray(os.urandom(1 << 20) * 90)
                    time.sleep(60)
                    os._exit(0)
            time.sleep(60)
    """

    async def scenario(world: World) -> None:
        before = reached("memory")
        failure = await world.failure(world.app(source, memory_mb=128), timeout_ms=20_000)
        assert failure.kind == "out_of_memory"
        assert "memoryMB" in world.texts("ERROR")[-1]
        assert reached("memory") == before + 1

    play(scenario)


def test_an_answer_over_five_megabytes_is_told_apart(play: Play) -> None:
    source = """
        def run(request):
            return {"statusCode": 200, "body": "x" * (5 * 1024 * 1024 + 1)}
    """

    async def scenario(world: World) -> None:
        before = reached("response")
        assert (await world.failure(world.app(source))).kind == "too_large"
        assert reached("response") == before + 1

    play(scenario)


def test_time_and_queue_are_counted_apart(play: Play) -> None:
    source = """
        import time
        def run(request):
            time.sleep(30)
        def warm(request):
            return {"statusCode": 200}
    """

    async def scenario(world: World) -> None:
        counts = {name: reached(name) for name in ("time", "queue", "queue_time")}
        target = world.app(source, "run", "warm")
        await world.answer(target, "warm")
        running = asyncio.create_task(world.pool.invoke(target, invocation(timeout_ms=1_500)))
        waiting = asyncio.create_task(world.pool.invoke(target, invocation()))
        await asyncio.sleep(0)
        refused = await world.failure(target)
        assert (refused.kind, refused.message) == ("busy", "Too many calls wait for a worker")
        late = await waiting
        assert getattr(late, "kind", None) == "busy"
        assert getattr(late, "message", None) == "No worker came free in time"
        assert getattr(await running, "kind", None) == "timeout"
        assert {name: reached(name) - before for name, before in counts.items()} == {
            "time": 1,
            "queue": 1,
            "queue_time": 1,
        }

    play(scenario, workers_per_installation=1, queue_per_installation=1, queue_ms=700)


@pytest.mark.parametrize(
    ("limit", "loop"),
    [("log_lines", "for n in range(150): print(n)"),
     ("log_bytes", "for n in range(20): print('x' * 20_000)")],
)  # fmt: skip
def test_a_log_over_its_bounds_is_counted_once(play: Play, limit: str, loop: str) -> None:
    async def scenario(world: World) -> None:
        before = reached(limit)
        await world.answer(
            world.app(f"def run(request):\n    {loop}\n    return {{'statusCode': 200}}\n")
        )
        assert reached(limit) == before + 1
        assert [text for text in world.texts("WARN") if "were dropped" in text]

    play(scenario)


def test_no_two_workers_draw_the_same_secrets(play: Play) -> None:
    source = """
        import random, secrets, uuid
        from random import Random
        own = Random(7)
        random.seed(7)
        def run(request):
            drawn = [random.random(), own.random(), secrets.token_hex(), str(uuid.uuid4()),
                     str(uuid.uuid1())]
            return {"statusCode": 200, "body": drawn}
    """

    async def scenario(world: World) -> None:
        target = world.app(source)
        other = replace(target, installation_id="installation-2")
        first = json.loads((await world.answer(target)).body)
        second = json.loads((await world.answer(other)).body)
        assert not set(first) & set(second)

    play(scenario)


@pytest.mark.parametrize(
    ("import_time", "said"),
    [
        ("import threading, time\n"
         "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n",
         "started threads"),
        ("import asyncio\nloop = asyncio.new_event_loop()\n", "event loop"),
    ],
)  # fmt: skip
def test_what_an_import_leaves_running_is_in_the_log(
    play: Play, import_time: str, said: str
) -> None:
    async def scenario(world: World) -> None:
        await world.answer(world.app(f"{import_time}\ndef run(r): return {{'statusCode': 200}}\n"))
        assert [text for text in world.texts("WARN") if said in text]

    play(scenario)
