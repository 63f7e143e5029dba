"""Node workers: what handlers get and give, what is logged, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from node_world import Play, World

from sallyport.runtime.call import Failure


def test_a_handler_gets_the_request_and_the_context(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            """
            exports.run = async (request, context) => {
              await new Promise((resolve) => setTimeout(resolve, 5));
              const remaining = context.getRemainingTimeInMillis();
              return { statusCode: 201, headers: { 'X-One': ['a', 'b'], 'x-two': 'c' },
                       body: { request, context, raw: [...request.rawBody], remaining },
                       customHeader: 'done' };
            };
            """
        )
        answer = await world.answer(
            app.target(variables=(("COLOUR", "green"),)),
            body=b'{"broken',
            request={
                "method": "POST",
                "path": "/things/7",
                "userPath": "7",
                "headers": {"x-slauth-user-context-account-id": ["account-1"]},
                "queryParameters": {"id": ["1", "2"]},
            },
        )
        assert answer.status == 201
        assert answer.headers == (
            ("x-one", "a"),
            ("x-one", "b"),
            ("x-two", "c"),
            ("content-type", "application/json"),
        )
        seen = json.loads(answer.body)
        assert seen["request"] == {
            "method": "POST",
            "path": "/things/7",
            "userPath": "7",
            "headers": {"x-slauth-user-context-account-id": ["account-1"]},
            "queryParameters": {"id": ["1", "2"]},
            "pathParameters": {},
            "body": '{"broken',
        }
        assert bytes(seen["raw"]) == b'{"broken'
        assert seen["context"]["accountId"] == "account-1"
        assert seen["context"]["principal"] == {"accountId": "account-1"}
        assert seen["context"]["installContext"] == (
            "ari:cloud:jira::site/33333333-2222-4333-8444-555555555555"
        )
        assert 0 < seen["remaining"] < 10_000

    play(scenario)


def test_bodies_pass_through_untouched(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app("exports.run = (r) => ({ statusCode: 200, body: r.rawBody });")
        body = os.urandom(5 * 1024 * 1024)
        answer = await world.answer(app.target(), body=body)
        assert answer.body == body

    play(scenario)


def test_variables_are_in_the_environment_and_nothing_of_the_platform(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALLYPORT_SECRET", "secret")

    async def scenario(world: World) -> None:
        app = world.app("exports.run = () => ({ statusCode: 200, body: { ...process.env } });")
        answer = await world.answer(app.target(variables=(("COLOUR", "green"),)))
        assert json.loads(answer.body).keys() == {"COLOUR", "HOME", "PATH", "TMPDIR"}

    play(scenario)


def test_the_console_keeps_its_levels(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            """
            console.log('while loading');
            exports.run = () => {
              console.log('plain %d', 1, { a: [1] });
              console.info('info');
              console.debug('debug');
              console.warn('warn');
              console.error('error');
              console.log('two\\nlines');
              process.stdout.write('raw\\n');
              return { statusCode: 200 };
            };
            """
        )
        await world.answer(app.target())
        found = [(line.level, line.text) for line in world.lines if line.text != "raw"]
        assert found == [
            ("INFO", "while loading"),
            ("INFO", "plain 1 { a: [ 1 ] }"),
            ("INFO", "info"),
            ("DEBUG", "debug"),
            ("WARN", "warn"),
            ("ERROR", "error"),
            ("INFO", "two\nlines"),
        ]
        assert ("INFO", "raw") in [(line.level, line.text) for line in world.lines]

    play(scenario)


def test_a_call_may_log_so_much_and_no_more(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            "exports.run = () => { for (let n = 0; n < 5000; n += 1) console.log('line', n);"
            " return { statusCode: 200 }; };"
        )
        target = app.target()
        await world.answer(target)
        assert len(world.lines) == 101
        assert world.lines[-1].text.startswith("More lines were dropped")
        await world.answer(target)
        assert len(world.lines) == 202

    play(scenario)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("undefined", "the handler returned undefined; return an object with 'statusCode'"),
        ("[]", "the handler returned an array; return an object with 'statusCode'"),
        ("{}", "'statusCode' must be an integer from 200 to 599, not undefined"),
        ("{statusCode: '200'}", "'statusCode' must be an integer from 200 to 599, not \"200\""),
        ("{statusCode: 99}", "'statusCode' must be an integer from 200 to 599, not 99"),
        (
            "{statusCode: 200, body: 5}",
            "'body' must be a string, bytes, an object or an array, not number",
        ),
        (
            "{statusCode: 200, headers: {'set-cookie': 'a=b'}}",
            "the header 'set-cookie' may not be set by an app",
        ),
        ("{statusCode: 200, headers: {'a b': 'c'}}", 'a header\'s name is not valid: "a b"'),
        (
            "{statusCode: 200, headers: {a: 'b\\r\\nc: d'}}",
            "the value of the header 'a' holds characters that are not allowed",
        ),
        (
            "{statusCode: 200, headers: {a: 5}}",
            "the header 'a' must be a string or an array of strings",
        ),
        ("{statusCode: 200, body: {n: 1n}}", "'body' cannot be sent: "),
    ],
)
def test_a_result_that_cannot_be_sent_is_explained(play: Play, result: str, message: str) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            f"exports.run = () => ({result}); exports.good = () => ({{statusCode: 204}});"
        )
        failure = await world.failure(app.target())
        assert failure.kind == "bad_result"
        assert failure.message.startswith(message)
        assert (await world.answer(app.target(), "good")).status == 204

    play(scenario)


@pytest.mark.parametrize("size", [5 * 1024 * 1024, 5 * 1024 * 1024 + 1])
def test_an_answer_may_be_so_large(play: Play, size: int) -> None:
    async def scenario(world: World) -> None:
        app = world.app(f"exports.run = () => ({{ statusCode: 200, body: 'x'.repeat({size}) }});")
        outcome = await world.call(app.target())
        assert isinstance(outcome, Failure) == (size > 5 * 1024 * 1024)
        if isinstance(outcome, Failure):
            assert outcome.kind == "too_large"

    play(scenario)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("throw new TypeError('no such thing')", "TypeError: no such thing"),
        ("return Promise.reject(new Error('later'))", "Error: later"),
        ("throw 'a text'", "thrown: a text"),
        ("throw null", "thrown: null"),
        ("throw { toString() { throw 1 } }", "something was thrown that cannot be shown"),
        (
            "setTimeout(() => { throw new Error('uncaught') }); return new Promise(() => {})",
            "Error: uncaught",
        ),
        (
            "Promise.reject(new Error('nobody waits')); return new Promise(() => {})",
            "Error: nobody waits",
        ),
    ],
)
def test_what_a_handler_throws_fails_the_call_alone(play: Play, source: str, message: str) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            f"exports.run = () => {{ {source} }}; exports.good = () => ({{ statusCode: 200 }});"
        )
        failure = await world.failure(app.target())
        assert (failure.kind, failure.message) == ("exception", message)
        assert any(message in text for text in world.texts("ERROR"))
        await world.answer(app.target(), "good")

    play(scenario)


def test_code_that_cannot_be_loaded_says_why(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app("throw new Error('no luck')")
        for _ in range(2):
            failure = await world.failure(app.target())
            assert (failure.kind, failure.message) == ("import_error", "Error: no luck")
        assert "at dist/index.cjs:1" in " ".join(world.texts("ERROR")).replace(
            "Object.<anonymous> (", ""
        )
        app = world.app("exports.other = 5; require('left-pad')", "run")
        failure = await world.failure(app.target())
        assert failure.message.startswith("Error: Cannot find module 'left-pad'")
        failure = await world.failure(world.app("exports.other = 1", "run").target())
        assert failure.message == "src/index exports no function 'run'"

    play(scenario)


def test_code_that_never_finishes_loading_is_ended(play: Play) -> None:
    async def scenario(world: World) -> None:
        failure = await world.failure(world.app("for (;;);").target())
        assert failure.kind == "worker_lost"
        assert "did not start in time" in failure.message
        await until(lambda: ours() == [])

    play(scenario, start_ms=1_000, warm_node_workers=0)


def test_a_call_is_killed_at_its_time_limit_with_all_that_it_started(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            """
            const { spawn } = require('node:child_process');
            exports.run = () => {
              const child = spawn('/bin/sleep', ['300'], { detached: true });
              require('node:fs').writeFileSync(process.env.SEEN, `${process.pid} ${child.pid}`);
              for (;;);
            };
            exports.good = () => ({ statusCode: 200 });
            """,
            "run",
            "good",
        )
        seen = world.folder / "seen"
        target = app.target(variables=(("SEEN", str(seen)),))
        started = time.monotonic()
        failure = await world.failure(target, timeout_ms=400)
        assert failure.kind == "timeout"
        assert time.monotonic() - started < 5
        await until(lambda: not any(lives(int(pid)) for pid in seen.read_text().split()))
        await world.answer(target, "good")

    play(scenario)


@pytest.mark.parametrize(
    "source", ["process.exit(0)", "process.abort()", "process.kill(process.pid, 9)"]
)
def test_a_worker_that_ends_costs_one_call(play: Play, source: str) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            f"exports.run = () => {{ {source} }}; exports.good = () => ({{statusCode: 200}});"
        )
        failure = await world.failure(app.target())
        assert failure.kind == "worker_lost"
        await world.answer(app.target(), "good")

    play(scenario)


def test_memory_is_what_the_manifest_grants(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            """
            const fill = (make) => { const all = []; for (;;) all.push(make(all.length)); };
            exports.heap = () => fill((n) => ({ text: 'x'.repeat(64) + n }));
            exports.buffers = () => fill(() => Buffer.alloc(1 << 24, 1));
            exports.good = () => ({ statusCode: 200 });
            """,
            "heap",
            "buffers",
            "good",
        )
        target = app.target(memory_mb=128)
        for function in ("heap", "buffers"):
            failure = await world.failure(target, function, timeout_ms=30_000)
            assert failure.kind == "out_of_memory", failure
            await world.answer(target, "good")

    play(scenario)


def test_a_process_that_a_call_leaves_behind_goes_with_its_worker(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            """
            const { spawn } = require('node:child_process');
            exports.run = () => {
              const child = spawn('/bin/sleep', ['300'], { detached: true });
              return { statusCode: 200, body: [process.pid, child.pid] };
            };
            """
        )
        for _ in range(2):
            pids = json.loads((await world.answer(app.target())).body)
            await until(lambda pids=pids: not any(lives(pid) for pid in pids))  # type: ignore[misc]

    play(scenario)


def test_two_installations_share_no_process(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            """
            let calls = 0;
            exports.run = () => ({ statusCode: 200, body: [process.pid, ++calls] });
            """
        )
        one, two = app.target("installation-1"), app.target("installation-2")
        seen = [json.loads((await world.answer(t)).body) for t in (one, two, one, two)]
        assert [calls for _, calls in seen] == [1, 1, 2, 2]
        assert seen[0][0] == seen[2][0] != seen[1][0] == seen[3][0]

    play(scenario)


def test_calls_at_the_same_time_get_workers_of_their_own(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            """
            let running = 0;
            exports.run = async () => {
              running += 1;
              const most = running;
              await new Promise((resolve) => setTimeout(resolve, 100));
              running -= 1;
              return { statusCode: 200, body: [process.pid, most] };
            };
            """
        )
        answers = await asyncio.gather(*(world.answer(app.target()) for _ in range(6)))
        seen = [json.loads(answer.body) for answer in answers]
        assert {most for _, most in seen} == {1}
        assert 2 <= len({pid for pid, _ in seen}) <= 3

    play(scenario, workers_per_installation=3)


def test_a_process_is_kept_warm_and_knows_nothing_of_any_app(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            "exports.run = () => ({ statusCode: 200, body: [process.pid, process.uptime()] });"
        )
        await world.answer(app.target("installation-1"))
        await asyncio.sleep(1.5)
        # It had been running for a while before this installation's first call.
        _, uptime = json.loads((await world.answer(app.target("installation-2"))).body)
        assert uptime > 0.5

    play(scenario)


def test_processes_can_be_had_before_the_first_call(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.pool.expect_node(512)
        await until(lambda: len(ours()) == 2)
        ready = set(ours())
        app = world.app("exports.run = () => ({ statusCode: 200, body: [process.pid] });")
        (pid,) = json.loads((await world.answer(app.target())).body)
        assert pid in ready

    play(scenario, warm_node_workers=2)


def test_no_process_outlives_the_pool(play: Play) -> None:
    pids: list[int] = []

    async def scenario(world: World) -> None:
        app = world.app("exports.run = () => ({ statusCode: 200, body: [process.pid] });")
        pids.extend(json.loads((await world.answer(app.target())).body))
        await asyncio.sleep(0.6)

    play(scenario, warm_node_workers=2)
    assert pids
    assert not any(lives(pid) for pid in pids)
    assert ours() == []


def test_hostile_frames_end_the_worker(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            """
            const fs = require('node:fs');
            const tell = (bytes) => {
              for (const fd of fs.readdirSync('/proc/self/fd')) {
                try {
                  const socket = fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
                  if (socket) fs.writeSync(Number(fd), bytes);
                } catch {}
              }
            };
            exports.run = () => {
              tell(Buffer.alloc(64, 0xff));
              return new Promise(() => {});
            };
            exports.forged = () => {
              // A RESULT for a call that is not this one.
              const frame = Buffer.alloc(15);
              frame.writeUInt32BE(11, 0); frame[4] = 5; frame.writeUInt32BE(1, 5);
              frame.writeUInt32BE(2, 9); frame.write('{}', 13);
              tell(frame);
              return new Promise(() => {});
            };
            exports.good = () => ({ statusCode: 200 });
            """,
            "run",
            "forged",
            "good",
        )
        for function in ("run", "forged"):
            failure = await world.failure(app.target(), function, timeout_ms=5_000)
            assert failure.kind == "worker_lost"
            await world.answer(app.target(), "good")

    play(scenario)


def test_a_broken_world_of_javascript_harms_itself_alone(play: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            """
            exports.run = () => {
              JSON.stringify = () => '{"status":200,"headers":[["set-cookie","a=b"]]}';
              return { statusCode: 200 };
            };
            exports.good = () => ({ statusCode: 200 });
            """,
            "run",
            "good",
        )
        failure = await world.failure(app.target())
        assert failure.kind == "bad_result"
        # A worker that sends what ours never would is not used again.
        await world.answer(app.target(), "good")

    play(scenario)


async def until(reached: Any, seconds: float = 10) -> None:
    ends = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < ends
        await asyncio.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def ours() -> list[int]:
    """Node workers below this process."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [
        int(pid)
        for pid in children
        if b"runtime/node" in Path(f"/proc/{pid}/cmdline").read_bytes() and lives(int(pid))
    ]
