"""The key-value store as a handler sees it: through the capability socket, into a database."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime_world import Play, World, elsewhere, invocation

from sallyport.capabilities.kvs_values import check_key, check_value
from sallyport.capabilities.refused import CapabilityRefused
from sallyport.capabilities.serve import Capabilities
from sallyport.runtime.call import Target
from sallyport.runtime.running import CapabilityAnswer, RunningCall
from sallyport.vocab.clock import SystemClock

APP = """
import asyncio
from sallyport_app import kvs

def run(request):
    try:
        result = eval(request.body, {"kvs": kvs, "call": attempt})
    except kvs.KvsError as error:
        return {"statusCode": 400, "body": {"code": error.code}}
    return {"statusCode": 200, "body": {"result": result}}

def attempt(f, *a, **k):
    return f(*a, **k)

async def twins(request):
    await kvs.aset("x", 1)
    await asyncio.gather(*(kvs.aset(f"n:{n}", n) for n in range(20)))
    page = await kvs.aquery(prefix="n:", limit=100)
    await kvs.adelete("x")
    return {"statusCode": 200, "body": [await kvs.aget("x", "gone"), len(page)]}

def forked(request):
    import os
    child = os.fork()
    if child == 0:
        try:
            kvs.get("a")
        except kvs.KvsError as error:
            os._exit(7 if error.code == "UNAVAILABLE" else 1)
        os._exit(0)
    return {"statusCode": 200, "body": str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))}
"""
FUNCTIONS = ("run", "twins", "forked")
ANYONE = Target("installation-1", "site-1", "environment-1", Path("/none"), ())


async def ask(world: World, target: Any, code: str) -> Any:
    answer = json.loads((await world.answer(target, body=code.encode())).body)
    return answer.get("code", answer.get("result"))


def test_values_come_back_as_they_were_set(with_kvs: Any) -> None:
    async def scenario(world: World) -> None:
        target = world.app(APP, *FUNCTIONS)
        assert await ask(world, target, "kvs.get('a')") is None
        assert await ask(world, target, "kvs.get('a', 7)") == 7
        for value in ("None", "True", "0", "1.5", "'é☃'", "[]", "{'a': [{'b': None}]}", "10**30"):
            await ask(world, target, f"kvs.set('a', {value})")
            assert await ask(world, target, f"kvs.get('a', 'none') == {value}") is True
        await ask(world, target, "kvs.delete('a')")
        await ask(world, target, "kvs.delete('a')")
        assert await ask(world, target, "kvs.get('a', 'gone')") == "gone"

    with_kvs(scenario)


def test_installations_have_stores_of_their_own(with_kvs: Any) -> None:
    async def scenario(world: World) -> None:
        one = world.app(APP, *FUNCTIONS)
        two = elsewhere(one)
        await ask(world, one, "kvs.set('secret', 'of one')")
        assert await ask(world, two, "kvs.get('secret')") is None
        assert await ask(world, two, "len(kvs.query())") == 0
        await ask(world, two, "kvs.set('secret', 'of two')")
        await ask(world, two, "kvs.delete('secret')")
        assert await ask(world, one, "kvs.get('secret')") == "of one"

    with_kvs(scenario)


WHOLE = """
from datetime import timedelta
from sallyport_app import kvs

def run(request):
    assert kvs.set("lock", 1, if_absent=True) is True
    assert kvs.set("lock", 2, if_absent=True) is False
    assert kvs.replace("lock", 3, ttl=timedelta(hours=1)).value == 1
    entry = kvs.entry("lock")
    assert entry.value == 3
    assert entry.created_at <= entry.updated_at
    assert 3_590_000 < entry.expires_at - entry.updated_at <= 3_600_000
    assert kvs.entry("none") is None and kvs.replace("fresh", 1) is None

    kvs.secret.set("token", "hush")
    assert kvs.secret.get("token") == "hush" and kvs.get("token") is None
    kvs.secret.delete("token")
    assert kvs.secret.get("token", "gone") == "gone"

    people = kvs.entity("employee")
    for key, age, city in (("a", 30, "Oslo"), ("b", 9, "Rome"), ("c", 100, "Oslo")):
        people.set(key, {"age": age, "city": city})
    assert [e.key for e in people.query("by-age")] == ["b", "a", "c"]
    old = people.query("by-age", where=kvs.at_least(30), descending=True)
    assert [e.key for e in old] == ["c", "a"]
    both = {"city": kvs.equal_to("Oslo"), "age": kvs.less_than(50)}
    found = people.query("by-age", filters=both)
    assert [e.value for e in found] == [{"age": 30, "city": "Oslo"}]
    either = {"city": kvs.begins_with("R"), "age": kvs.between(99, 100)}
    some = people.query("by-age", filters=either, match="any")
    assert [e.key for e in some] == ["b", "c"]
    assert [e.key for e in people.all(limit=1)] == ["a", "b", "c"]

    with kvs.transaction() as t:
        t.check("a", {"city": kvs.equal_to("Oslo")}, entity="employee")
        t.set("count", 1).delete("b", entity="employee", conditions={"age": kvs.exists()})
    assert kvs.get("count") == 1 and people.get("b") is None
    try:
        with kvs.transaction() as t:
            t.set("count", 2).check("c", {"city": kvs.equal_to("Rome")}, entity="employee")
    except kvs.KvsError as error:
        assert error.code == "CONDITION_NOT_MET"
    else:
        raise AssertionError("no refusal")
    assert kvs.get("count") == 1

    done = kvs.batch.set({"x": 1, "a/b": 2})
    assert done.done == ("x",) and done.failed["a/b"].code == "INVALID_KEY"
    got = kvs.batch.get(["x", "y"])
    assert got.entries["x"].value == 1 and got.failed["y"].code == "KEY_NOT_FOUND"
    assert kvs.batch.delete(["x"]).done == ("x",)
    assert [e.key for e in kvs.all()] == ["count", "fresh", "lock"]
    return {"statusCode": 200, "body": "whole"}

async def run_async(request):
    await kvs.secret.aset("s", 1)
    people = kvs.entity("employee")
    await people.aset("z", {"age": 1})
    async with kvs.transaction() as t:
        t.set("n", 1)
    await kvs.batch.aset({"m": 2})
    page = await people.aquery("by-age", limit=1)
    secret, n, m = await kvs.secret.aget("s"), await kvs.aget("n"), await kvs.aget("m")
    return {"statusCode": 200, "body": [secret, page.entries[0].key, n, m]}
"""


def test_a_handler_has_the_whole_store(with_kvs: Any) -> None:
    async def scenario(world: World) -> None:
        target = world.app(WHOLE, "run", "run_async")
        assert (await world.answer(target)).body == b"whole"
        answer = await world.answer(target, function="run_async")
        assert json.loads(answer.body) == [1, "z", 1, 2]

    with_kvs(scenario)


def test_no_payload_can_name_another_installation(with_kvs: Any) -> None:
    async def scenario(world: World) -> None:
        one = world.app(APP, *FUNCTIONS)
        await ask(world, one, "kvs.set('secret', 'of one')")
        forge = (
            "call(__import__('sallyport_app._platform', fromlist=['x']).request, 'kvs',"
            " '/api/v1/get', '{\"key\":\"secret\"%s}')"
        )
        for extra in ("", ',"installationId":"installation-1"', ',"installation_id":"x"'):
            status, body = await ask(world, elsewhere(one), forge % extra.replace('"', '\\"'))
            assert status in (400, 404)
            assert "of one" not in json.dumps(body)

    with_kvs(scenario)


def test_queries_page_through_a_prefix_in_order(with_kvs: Any) -> None:
    async def scenario(world: World) -> None:
        target = world.app(APP, *FUNCTIONS)
        await ask(world, target, "[kvs.set(f'n:{n:02}', n) for n in range(25)] and None")
        await ask(world, target, "kvs.set('m', 0)")
        await ask(world, target, "kvs.set('o', 0)")
        first = "kvs.query(prefix='n:')"
        assert await ask(world, target, f"[e.value for e in {first}]") == list(range(10))
        cursor = await ask(world, target, f"{first}.cursor")
        second = f"kvs.query(prefix='n:', limit=100, cursor={cursor!r})"
        assert await ask(world, target, f"[e.key for e in {second}]") == [
            f"n:{n:02}" for n in range(10, 25)
        ]
        assert await ask(world, target, f"{second}.cursor") is None

    with_kvs(scenario)


def test_refusals_have_the_codes_of_the_contract(with_kvs: Any) -> None:
    cases = {
        "kvs.set('', 1)": "KEY_TOO_SHORT",
        "kvs.set('x' * 501, 1)": "KEY_TOO_LONG",
        "kvs.get('a/b')": "INVALID_KEY",
        "kvs.get('  ')": "INVALID_KEY",
        "kvs.delete('é')": "INVALID_KEY",
        "kvs.set('a', 'x' * (240 * 1024))": "MAX_SIZE",
        "kvs.set('a', 'x' * (3 * 1024 * 1024))": "MAX_SIZE",
        "kvs.set('a', __import__('functools').reduce(lambda v, _: [v], range(32), 1))": "MAX_DEPTH",
        "kvs.set('a', {1, 2})": "INVALID_VALUE",
        "kvs.set('a', float('nan'))": "INVALID_VALUE",
        "kvs.set('a', '\\ud800')": "INVALID_VALUE",
        "kvs.query(limit=0)": "LIST_QUERY_LIMIT_EXCEEDED",
        "kvs.query(limit=101)": "LIST_QUERY_LIMIT_EXCEEDED",
        "kvs.query(prefix='a/')": "INVALID_FILTER_VALUES",
        "kvs.query(cursor='!!')": "INVALID_CURSOR",
        "kvs.query(cursor='AAAA')": "INVALID_CURSOR",
        "kvs.get(7)": "INVALID_REQUEST",
    }

    async def scenario(world: World) -> None:
        target = world.app(APP, *FUNCTIONS)
        for code, expected in cases.items():
            outcome = await world.answer(target, body=code.encode())
            assert json.loads(outcome.body) == {"code": expected}, code
        most = "kvs.set('x' * 500, __import__('functools').reduce(lambda v, _: [v], range(31), 1))"
        assert await ask(world, target, most) is True
        assert await ask(world, target, "kvs.set('a', 'x' * (240 * 1024 - 2))") is True

    with_kvs(scenario)


def test_asynchronous_twins_threads_and_forks(with_kvs: Any) -> None:
    async def scenario(world: World) -> None:
        target = world.app(APP, *FUNCTIONS)
        assert json.loads((await world.answer(target, "twins")).body) == ["gone", 20]
        assert (await world.answer(target, "forked")).body == b"7"

    with_kvs(scenario)


def test_the_store_is_out_of_reach_while_a_module_is_imported(with_kvs: Any) -> None:
    async def scenario(world: World) -> None:
        target = world.app("from sallyport_app import kvs\nkvs.get('a')\ndef run(request): pass")
        failure = await world.failure(target)
        assert failure.kind == "import_error"
        assert "inside a call" in failure.message

    with_kvs(scenario)


def test_what_a_thread_asks_between_calls_waits_for_the_next_call(play: Play) -> None:
    asked: list[bytes] = []

    async def capability(_running: RunningCall, payload: bytes) -> CapabilityAnswer:
        asked.append(payload)
        return b'{"status":200,"headers":[]}', b""

    async def scenario(world: World) -> None:
        target = world.app("""
            import threading, time
            from sallyport_app import kvs

            def run(request):
                threading.Thread(target=lambda: (time.sleep(0.05), kvs.set("a", 1))).start()
                return {"statusCode": 200}
        """)
        await world.answer(target)
        await asyncio.sleep(0.2)
        assert asked == []
        await world.answer(target)
        async with asyncio.timeout(5):
            while not asked:  # noqa: ASYNC110  the app's thread raises no event here
                await asyncio.sleep(0.01)

    play(scenario, capability)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode())))
def test_any_bytes_get_a_readable_reply(payload: bytes) -> None:
    # Nothing readable gets as far as the store.
    capabilities = Capabilities(None)  # type: ignore[arg-type]
    running = RunningCall(ANYONE, invocation(), SystemClock(), print)
    header, body = asyncio.run(capabilities.handle(running, payload))
    assert msgspec.json.decode(header)["status"] in (400, 404)
    assert set(msgspec.json.decode(body)) == {"code", "message"}


@given(st.text(max_size=520))
def test_a_key_is_taken_exactly_if_the_contract_says_so(key: str) -> None:
    import re

    space = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
    fits = (
        len(key) <= 500
        and re.fullmatch(rf"(?![{space}]+\Z)[a-zA-Z0-9:._{space}#-]+", key) is not None
    )
    try:
        assert check_key(key) == key
        assert fits
    except CapabilityRefused:
        assert not fits


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


@given(json_values)
def test_values_of_any_shape_are_kept_as_they_are(value: Any) -> None:
    raw = json.dumps(value, ensure_ascii=False).encode()
    assert json.loads(check_value(raw)) == value
