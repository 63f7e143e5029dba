"""The capability socket: many requests at a time, and what an app cannot do by it."""

from __future__ import annotations

import asyncio
import json

from runtime_world import Play, World

from sallyport.runtime.running import CapabilityAnswer, RunningCall

APP = """
import threading, time
from sallyport_app import _platform

def run(request):
    found = []
    def ask(n):
        reply = _platform.ask("x", "GET", f"/{n}", [("a", "b")], b"body", {"n": str(n)})
        found.append((n, reply.status, reply.headers, reply.body.decode()))
    threads = [threading.Thread(target=ask, args=(n,)) for n in range(10)]
    [each.start() for each in threads]
    [each.join() for each in threads]
    return {"statusCode": 200, "body": sorted(found)}

def deaf(request):
    import gc, socket, struct
    (sock,) = [o._sock for o in gc.get_objects() if type(o).__name__ == "Exchange"]
    header = b'{"capability":"x","path":"/"}'
    for n in range(200):
        payload = struct.pack("!I", len(header)) + header
        sock.sendall(struct.pack("!IBI", 5 + len(payload), 9, n) + payload)
    time.sleep(1)
    return {"statusCode": 200}
"""


def test_requests_of_many_threads_run_beside_each_other(play: Play) -> None:
    running_now = most = 0

    async def capability(running: RunningCall, payload: bytes) -> CapabilityAnswer:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        await asyncio.sleep(0.01)
        running_now -= 1
        size = int.from_bytes(payload[:4], "big")
        header = json.loads(payload[4 : 4 + size])
        assert payload[4 + size :] == b"body"
        assert header["headers"] == [["a", "b"]]
        reply = {"status": 218, "headers": [["n", header["options"]["n"]]]}
        return json.dumps(reply).encode(), header["path"].encode()

    async def scenario(world: World) -> None:
        target = world.app(APP, "run")
        found = json.loads((await world.answer(target)).body)
        assert found == [[n, 218, [["n", str(n)]], f"/{n}"] for n in range(10)]
        assert 1 < most <= 16

    play(scenario, capability)


def test_an_app_that_does_not_read_its_replies_fills_no_memory(play: Play) -> None:
    made = 0

    async def capability(_running: RunningCall, _payload: bytes) -> CapabilityAnswer:
        nonlocal made
        made += 1
        return b'{"status":200,"headers":[]}', bytes(1024 * 1024)

    async def scenario(world: World) -> None:
        target = world.app(APP, "deaf")
        await world.answer(target, "deaf")
        assert 1 <= made <= 17

    play(scenario, capability)


def test_the_platform_says_who_asks(play: Play) -> None:
    seen: list[RunningCall] = []

    async def capability(running: RunningCall, _payload: bytes) -> CapabilityAnswer:
        seen.append(running)
        return b'{"status":200,"headers":[]}', b""

    async def scenario(world: World) -> None:
        source = """
            from sallyport_app import _platform

            def run(request, context):
                _platform.ask("x", "GET", "/")
                return {"statusCode": 200}
        """
        target = world.app(source)
        for account in ("ada", "bob", None):
            await world.answer(target, context={"accountId": account})
        assert [each.account_id for each in seen] == ["ada", "bob", None]
        assert len({each.call.id for each in seen}) == 3
        assert {each.installation_id for each in seen} == {target.installation_id}
        assert all(0 < each.seconds_left <= 5 for each in seen)

    play(scenario, capability)
