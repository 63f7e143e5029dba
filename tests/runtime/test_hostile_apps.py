"""App code that attacks its worker's sockets, the frames, and the platform around it."""

from __future__ import annotations

import asyncio
import json
import os

import pytest
from runtime_world import Play, World, elsewhere

from sallyport.runtime.call import Failure
from sallyport.runtime.sandbox import (
    Guarantee,
    PlainDriver,
    fit_for_untrusted_code,
    missing_guarantees,
)

SOCKETS = """
import json, os, socket, stat, struct, sys, time

def call_id():
    here = sys._getframe()
    while here.f_code.co_name != "_run":
        here = here.f_back
    return here.f_locals["id"]

def sockets():
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                found.append(int(name))
        except OSError:
            pass
    return sorted(found)

def frame(kind, id, payload):
    return struct.pack("!IBI", 5 + len(payload), kind, id) + payload

def parts(header, body=b""):
    return struct.pack("!I", len(header)) + header + body

def send(data):
    os.write(sockets()[0], data)
"""

FORGED = {
    "a giant length": "struct.pack('!IBI', 0xFFFFFFFF, 5, 1)",
    "a length too small": "struct.pack('!IBI', 0, 5, 1)",
    "an unknown kind": "frame(99, call_id(), b'')",
    "another call's result": "frame(5, call_id() ^ 1, parts(b'{}'))",
    "a header longer than its payload": "frame(5, call_id(), struct.pack('!I', 0xFFFFFFFF) + b'x')",
    "no header": "frame(5, call_id(), b'')",
    "a flood of log lines": "frame(7, 0, b'\\x01x') * 5000",
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_a_forged_frame_costs_the_forger_its_worker(play: Play, forged: str) -> None:
    async def scenario(world: World) -> None:
        target = world.app(
            f"{SOCKETS}\n"
            f"def run(request):\n    send({forged})\n    time.sleep(5)\n\n"
            "def fine(request):\n    return {'statusCode': 200}\n",
            "run",
            "fine",
        )
        failure = await world.failure(target, timeout_ms=3_000)
        assert failure.kind == "worker_lost", failure
        assert (await world.answer(target, "fine")).status == 200

    play(scenario)


@pytest.mark.parametrize(
    "header",
    [
        b'{"status":200,"headers":[["x-a","b\\r\\nx: y"]]}',
        b'{"status":200,"headers":[["X-Upper","b"]]}',
        b'{"status":200,"headers":[["set-cookie","a=b"]]}',
        b'{"status":200,"headers":[["transfer-encoding","chunked"]]}',
        b'{"status":101,"headers":[]}',
        b'{"status":999,"headers":[]}',
        b'{"status":"200","headers":[]}',
        b'{"status":200,"headers":[],"extra":1}',
        b'{"status":200,"headers":[["x","\xff"]]}',
        b"[" * 5000,
        b"",
    ],
)
def test_a_forged_result_is_checked_again_by_the_platform(play: Play, header: bytes) -> None:
    async def scenario(world: World) -> None:
        target = world.app(
            f"{SOCKETS}\n"
            "def run(request):\n"
            f"    send(frame(5, call_id(), parts({header!r})))\n"
            "    time.sleep(5)\n"
        )
        failure = await world.failure(target, timeout_ms=3_000)
        assert failure.kind == "bad_result"

    play(scenario)


def test_a_result_in_advance_does_not_answer_the_next_call(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(
            SOCKETS
            + """
def run(request):
    id = call_id()
    send(frame(5, id, parts(b'{"status":200,"headers":[]}', b'one')))
    time.sleep(0.2)
    for guess in (id + 1, id, 0, 1):
        send(frame(5, guess % 2**32, parts(b'{"status":200,"headers":[]}', b'forged')))
    time.sleep(5)

def honest(request):
    return {"statusCode": 200, "body": "honest"}
""",
            "run",
            "honest",
        )
        assert (await world.answer(target)).body == b"one"
        outcome = await world.call(target, "honest")
        assert isinstance(outcome, Failure) or outcome.body == b"honest"
        assert (await world.answer(target, "honest")).body == b"honest"

    play(scenario, workers_per_installation=1)


def test_closing_every_descriptor_costs_the_closer_its_call(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            import os, time

            def run(request):
                os.closerange(0, 64)
                time.sleep(5)
        """)
        assert (await world.failure(target, timeout_ms=3_000)).kind == "worker_lost"

    play(scenario)


def test_a_worker_has_no_descriptor_but_its_own(play: Play) -> None:
    async def scenario(world: World) -> None:
        secret = os.open(world.folder, os.O_RDONLY)
        os.set_inheritable(secret, True)
        try:
            target = world.app("""
                import os

                def run(request):
                    names = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
                             if os.path.exists(f"/proc/self/fd/{n}") or True
                             if n.isdigit() and os.path.lexists(f"/proc/self/fd/{n}")]
                    return {"statusCode": 200, "body": sorted(names)}
            """)
            first = json.loads((await world.answer(target)).body)
            second = json.loads((await world.answer(elsewhere(target))).body)
            for names in (first, second):
                kinds = [name.partition(":")[0].partition("/")[0] for name in set(names)]
                # Calls and capabilities; raw output, tickets and answers.
                assert kinds.count("socket") == 2
                assert kinds.count("pipe") == 3
                assert str(world.folder) not in names
            assert not set(first) & {name for name in second if name.startswith("socket")}
        finally:
            os.close(secret)

    play(scenario)


def test_a_worker_holds_no_capabilities_and_can_gain_none(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            import re

            def run(request):
                status = open("/proc/self/status").read()
                return {"statusCode": 200, "body": dict(
                    re.findall(r"(CapEff|CapPrm|CapBnd|NoNewPrivs):\\s*(\\S+)", status))}
        """)
        got = json.loads((await world.answer(target)).body)
        assert got["NoNewPrivs"] == "1"
        assert int(got["CapEff"], 16) == int(got["CapPrm"], 16) == 0
        if os.geteuid() == 0:
            assert int(got["CapBnd"], 16) == 0

    play(scenario)


def test_a_fork_storm_ends_with_its_call(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            import os, time

            def run(request):
                for _ in range(40):
                    if os.fork() == 0:
                        os.setsid()
                        if os.fork() == 0:
                            time.sleep(60)
                        os._exit(0)
                print("group", os.getpid())
                time.sleep(60)
        """)
        before = _processes()
        assert (await world.failure(target, timeout_ms=800)).kind == "timeout"
        async with asyncio.timeout(5):
            # The zygote is still there, and whatever other tests of this machine run.
            while len(_ours(before)) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    play(scenario)


def _processes() -> set[int]:
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}


def _ours(before: set[int]) -> list[int]:
    found = []
    for pid in _processes() - before:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read()
        except OSError:
            continue
        if b"runtime/python/zygote.py" in line and str(os.getpid()).encode() in line.split(b"\0"):
            found.append(pid)
    return found


def test_the_plain_driver_does_not_claim_what_it_does_not_give() -> None:
    driver = PlainDriver()
    assert not fit_for_untrusted_code(driver)
    for guarantee in (
        Guarantee.NO_NETWORK,
        Guarantee.OWN_FILESYSTEM,
        Guarantee.OWN_USER,
        Guarantee.OWN_PROCESS_TREE,
        Guarantee.SYSTEM_CALL_FILTER,
        Guarantee.PROCESS_LIMIT,
    ):
        assert guarantee not in driver.guarantees
        assert guarantee.value in missing_guarantees(driver)
