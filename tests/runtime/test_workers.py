"""Lives and deaths of workers: growth, queues, time limits, crashes, idleness, isolation."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from runtime_world import Play, World, elsewhere, invocation

from sallyport.runtime.call import Answer, Failure, Outcome

PIDS = """
import os, time

SEEN = []

def run(request):
    SEEN.append(request.query("n"))
    return {"statusCode": 200, "body": {"pid": os.getpid(), "seen": SEEN}}

def slow(request):
    print("started")
    time.sleep(float(request.query("s", "0.2")))
    return {"statusCode": 200, "body": str(os.getpid())}

def hang(request):
    import signal
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    print("hanging", os.getpid())
    while True:
        pass

def die(request):
    os._exit(9)
"""
ALL = ("run", "slow", "hang", "die")


def lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110  the processes of an app raise no event here
            await asyncio.sleep(0.005)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def asking(**query: str) -> dict[str, dict[str, list[str]]]:
    return {"queryParameters": {name: [value] for name, value in query.items()}}


def test_calls_reuse_the_warm_worker(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(PIDS, *ALL)
        got = [json.loads((await world.answer(target)).body) for _ in range(5)]
        assert len({each["pid"] for each in got}) == 1
        assert len(got[-1]["seen"]) == 5
        assert world.pool.workers == 1

    play(scenario)


def test_two_installations_share_neither_process_nor_globals(play: Play) -> None:
    async def scenario(world: World) -> None:
        one = world.app(PIDS, *ALL)
        two = elsewhere(one)
        got: dict[int, list[dict[str, object]]] = {1: [], 2: []}
        for round in range(10):
            for key, target in ((1, one), (2, two)):
                answer = await world.answer(target, request=asking(n=f"{key}-{round}"))
                got[key].append(json.loads(answer.body))
        assert {each["pid"] for each in got[1]}.isdisjoint({each["pid"] for each in got[2]})
        for key in (1, 2):
            assert got[key][-1]["seen"] == [f"{key}-{round}" for round in range(10)]

    play(scenario)


def test_workers_grow_with_the_calls_that_wait_up_to_the_limit(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(PIDS, *ALL)
        calls = [world.answer(target, "slow", request=asking(s="0.1")) for _ in range(8)]
        answers = await asyncio.gather(*calls)
        assert len({answer.body for answer in answers}) == 3
        assert world.pool.workers == 3

    play(scenario, workers_per_installation=3)


def test_a_full_queue_and_a_long_wait_are_busy(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(PIDS, *ALL)
        await world.answer(target)
        world.pool.limits = replace(world.pool.limits, queue_ms=100)
        running = asyncio.create_task(world.call(target, "slow", request=asking(s="0.4")))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(world.call(target))
        await asyncio.sleep(0)
        full = await world.failure(target)
        assert (full.kind, full.message) == ("busy", "Too many calls wait for a worker")
        late = await waiting
        assert isinstance(late, Failure)
        assert (late.kind, late.message) == ("busy", "No worker came free in time")
        assert isinstance(await running, Answer)

    play(scenario, workers_per_installation=1, queue_per_installation=1)


def test_the_time_limit_does_not_count_the_queue(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(PIDS, *ALL)
        calls = [
            world.answer(target, "slow", request=asking(s="0.15"), timeout_ms=400) for _ in range(4)
        ]
        await asyncio.gather(*calls)

    play(scenario, workers_per_installation=1)


def test_a_call_past_its_time_limit_is_killed_and_nothing_of_it_is_left(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(PIDS, *ALL)
        started = time.monotonic()
        failure = await world.failure(target, "hang", timeout_ms=300)
        assert (failure.kind, failure.message) == ("timeout", "Timed out after 0.3 s")
        assert time.monotonic() - started < 2
        # Event loops may round a timer down to the millisecond.
        assert failure.duration_us >= 299_000
        (line,) = (text for text in world.texts() if text.startswith("hanging"))
        assert not lives(int(line.split()[1]))
        assert "Timed out after 0.3 s" in world.texts("ERROR")
        assert world.pool.workers == 0
        assert (await world.answer(target)).status == 200

    play(scenario)


def test_a_worker_that_dies_costs_its_own_call_only(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(PIDS, *ALL)
        slow = asyncio.create_task(world.answer(target, "slow", request=asking(s="0.5")))
        await until(lambda: "started" in world.texts())
        lost = await world.failure(target, "die")
        assert (lost.kind, lost.message) == ("worker_lost", "The worker ended during the call")
        assert not slow.done()
        assert (await slow).status == 200
        assert (await world.answer(target)).status == 200

    play(scenario)


def test_a_worker_that_answers_and_then_dies_loses_no_call(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            import os, threading, time

            def leave():
                time.sleep(0.01)
                os._exit(0)

            def run(request):
                threading.Thread(target=leave, daemon=True).start()
                return {"statusCode": 200}
        """)
        for _ in range(3):
            await world.answer(target)
            await until(lambda: world.pool.workers == 0)

    play(scenario)


def test_what_a_killed_call_started_dies_with_it(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            import os, subprocess, time

            def run(request):
                plain = subprocess.Popen(["sleep", "60"])
                own_session = subprocess.Popen(["sleep", "60"], start_new_session=True)
                daemon = subprocess.run(
                    ["sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $!"],
                    capture_output=True, text=True,
                ).stdout
                print("pids", plain.pid, own_session.pid, daemon.strip())
                time.sleep(60)
        """)
        failure = await world.failure(target, timeout_ms=500)
        assert failure.kind == "timeout"
        (line,) = (text for text in world.texts() if text.startswith("pids"))
        pids = [int(pid) for pid in line.split()[1:]]
        assert len(pids) == 3
        await until(lambda: not any(lives(pid) for pid in pids))

    play(scenario)


def test_a_process_that_an_answered_call_leaves_behind_is_killed(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            import os, subprocess

            def run(request):
                child = subprocess.Popen(["sleep", "60"], start_new_session=True)
                return {"statusCode": 200, "body": [os.getpid(), child.pid]}
        """)
        worker, child = json.loads((await world.answer(target)).body)
        await until(lambda: not lives(child) and not lives(worker))
        assert (await world.answer(target)).status == 200

    play(scenario)


def test_a_forked_child_speaks_neither_for_the_call_nor_to_the_platform(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            import os

            def run(request):
                child = os.fork()
                if child == 0:
                    print("from the child")
                    return {"statusCode": 500}
                os.waitpid(child, 0)
                return {"statusCode": 200}
        """)
        assert (await world.answer(target)).status == 200
        assert (await world.answer(target)).status == 200

    play(scenario)


def test_idle_workers_stop_and_then_the_zygote(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(PIDS, *ALL)
        pid = json.loads((await world.answer(target)).body)["pid"]
        zygote = parent_of(pid)
        await until(lambda: world.pool.workers == 0)
        assert not lives(pid)
        assert lives(zygote)
        await until(lambda: not lives(zygote))
        assert (await world.answer(target)).status == 200

    play(scenario, idle_ms=150, zygote_idle_ms=400)


def test_a_new_deploy_gets_new_workers_and_running_calls_finish_on_the_old(play: Play) -> None:
    async def scenario(world: World) -> None:
        old = world.app(
            "import time\ndef run(request):\n print('started')\n time.sleep(0.5)\n"
            " return {'statusCode': 200, 'body': 'old'}"
        )
        new = world.app("def run(request): return {'statusCode': 200, 'body': 'new'}", name="app-2")
        running = asyncio.create_task(world.answer(old))
        await until(lambda: "started" in world.texts())
        assert (await world.answer(new)).body == b"new"
        assert (await running).body == b"old"
        await until(lambda: world.pool.workers == 1)
        other = replace(new, variables=(("A", "1"),))
        assert (await world.answer(other)).body == b"new"

    play(scenario, idle_ms=1_000)


def test_stopping_an_installation_lets_running_calls_finish(play: Play) -> None:
    async def scenario(world: World) -> None:
        one = world.app(PIDS, *ALL)
        two = elsewhere(one)
        kept = json.loads((await world.answer(two)).body)["pid"]
        running = asyncio.create_task(world.call(one, "slow", request=asking(s="0.3")))
        await until(lambda: "started" in world.texts())
        waiting = asyncio.create_task(world.call(one))
        await asyncio.sleep(0)
        await world.pool.stop_installation(one.installation_id)
        assert running.done()
        assert isinstance(running.result(), Answer)
        refused = await waiting
        assert isinstance(refused, Failure)
        assert (refused.kind, refused.message) == ("busy", "The installation was stopped")
        assert world.pool.workers == 1
        assert json.loads((await world.answer(two)).body)["pid"] == kept

    play(scenario, workers_per_installation=1)


def test_stopping_an_installation_at_once_kills_running_calls(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(PIDS, *ALL)
        running = asyncio.create_task(world.call(target, "hang"))
        await until(lambda: any(text.startswith("hanging") for text in world.texts()))
        await world.pool.stop_installation(target.installation_id, drain=False)
        lost = await running
        assert isinstance(lost, Failure)
        assert lost.kind == "worker_lost"
        assert world.pool.workers == 0

    play(scenario)


def test_installations_give_way_to_each_other_when_places_are_few(play: Play) -> None:
    async def scenario(world: World) -> None:
        one = world.app(PIDS, *ALL)
        targets = [replace(one, installation_id=f"installation-{n}") for n in range(6)]
        answers = await asyncio.gather(
            *(world.answer(target, "slow", request=asking(s="0.05")) for target in targets)
        )
        assert len({answer.body for answer in answers}) == 6
        assert world.pool.workers <= 2

    play(scenario, workers=2)


def test_fifty_calls_at_once_over_five_installations(play: Play) -> None:
    async def scenario(world: World) -> None:
        one = world.app(PIDS, *ALL)
        targets = [replace(one, installation_id=f"installation-{n}") for n in range(5)]
        calls = [world.answer(targets[n % 5], request=asking(n=str(n % 5))) for n in range(50)]
        answers = [json.loads(answer.body) for answer in await asyncio.gather(*calls)]
        pids: dict[str, set[int]] = {}
        for answer in answers:
            assert len(set(answer["seen"])) == 1
            pids.setdefault(answer["seen"][0], set()).add(answer["pid"])
        assert len(pids) == 5
        assert sum(len(each) for each in pids.values()) == len(set().union(*pids.values()))
        assert all(len(each) <= 4 for each in pids.values())

    play(scenario)


def test_the_callback_form_calls_back_once(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(PIDS, *ALL)
        outcomes: list[Outcome] = []
        world.pool.submit(target, invocation("run"), outcomes.append)
        world.pool.submit(target, invocation("die"), outcomes.append)
        await until(lambda: len(outcomes) == 2)
        await asyncio.sleep(0.05)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Answer", "Failure"]

    play(scenario)


def test_workers_draw_different_random_numbers(play: Play) -> None:
    async def scenario(world: World) -> None:
        one = world.app("""
            import random, uuid
            mine = random.Random()

            def run(request):
                return {"statusCode": 200, "body": [random.random(), mine.random()]}
        """)
        first = json.loads((await world.answer(one)).body)
        second = json.loads((await world.answer(elsewhere(one))).body)
        assert first[0] != second[0]
        assert first[1] != second[1]

    play(scenario)


def test_import_errors_are_told_with_their_traceback(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("print('so far')\nimport no_such_module\ndef run(request): pass")
        for _ in range(2):
            failure = await world.failure(target)
            assert failure.kind == "import_error"
            assert failure.message == "ModuleNotFoundError: No module named 'no_such_module'"
        assert world.texts("INFO") == ["so far"]
        assert 'File "src/index.py", line 2' in world.texts("ERROR")[0]
        assert world.pool.workers == 0

    play(scenario)


def test_a_module_that_cannot_be_imported_costs_its_own_functions_only(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(
            "def run(request): return {'statusCode': 200}", "run", "bad.run", "gone.run"
        )
        (target.bundle_dir / "src" / "bad.py").write_text("1 / 0")
        assert (await world.answer(target)).status == 200
        assert (await world.failure(target, "bad.run")).message.startswith("ZeroDivisionError")
        assert "there is no file src/gone.py" in (await world.failure(target, "gone.run")).message

    play(scenario)


def test_a_zygote_that_is_killed_takes_its_workers_along_and_is_made_anew(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(PIDS, *ALL)
        pid = json.loads((await world.answer(target)).body)["pid"]
        running = asyncio.create_task(world.call(target, "slow", request=asking(s="5")))
        await until(lambda: "started" in world.texts())
        os.kill(parent_of(pid), signal.SIGKILL)
        lost = await running
        assert isinstance(lost, Failure)
        assert lost.kind == "worker_lost"
        assert not lives(pid)
        assert (await world.answer(target)).status == 200

    play(scenario)


def test_an_app_that_ends_or_hangs_while_it_is_imported(play: Play) -> None:
    async def scenario(world: World) -> None:
        ends = world.app("import os; os._exit(3)", name="ends")
        failure = await world.failure(ends)
        assert failure.kind == "import_error"
        assert "it exited with status 3 while it was being imported" in failure.message
        hangs = world.app("while True: pass", name="hangs", installation_id="installation-9")
        failure = await world.failure(hangs)
        assert (failure.kind, failure.duration_us) == ("import_error", 0)
        assert "importing it took longer than 0.6 s" in failure.message

    play(scenario, start_ms=600)


def test_memory_is_limited(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(
            "def run(request):\n"
            " data = bytearray(400 * 1024 * 1024)\n"
            " return {'statusCode': 200}\n"
            "def small(request):\n"
            " data = bytearray(64 * 1024 * 1024)\n"
            " return {'statusCode': 200}\n",
            "run",
            "small",
            memory_mb=128,
        )
        assert (await world.failure(target)).kind == "out_of_memory"
        assert (await world.answer(target, "small")).status == 200

    play(scenario)


def test_every_worker_has_a_private_folder_that_is_removed(play: Play) -> None:
    async def scenario(world: World) -> None:
        one = world.app("""
            import os, tempfile, pathlib

            def run(request):
                before = os.listdir(".")
                pathlib.Path("left.txt").write_text("x")
                return {"statusCode": 200, "body": [os.getcwd(), tempfile.gettempdir(), before]}
        """)
        first = json.loads((await world.answer(one)).body)
        second = json.loads((await world.answer(elsewhere(one))).body)
        assert first[0] == first[1] != second[0]
        assert first[2] == second[2] == []
        assert os.stat(first[0]).st_mode & 0o777 == 0o700
        await world.pool.stop_installation(one.installation_id)
        await until(lambda: not Path(first[0]).exists())

    play(scenario)


def test_closing_leaves_no_process(play: Play) -> None:
    pids: list[int] = []

    async def scenario(world: World) -> None:
        target = world.app(PIDS, *ALL)
        pids.append(json.loads((await world.answer(target)).body)["pid"])
        pids.append(parent_of(pids[0]))
        await world.pool.close()
        refused = await world.failure(target)
        assert (refused.kind, refused.message) == ("busy", "The platform is stopping")

    play(scenario)
    assert not any(lives(pid) for pid in pids)
