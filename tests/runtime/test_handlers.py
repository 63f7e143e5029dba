"""What a handler gets and what its result becomes, in real worker processes."""

from __future__ import annotations

import json

import pytest
from runtime_world import Play, World


def test_a_synchronous_handler_gets_request_and_context(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            def run(request, context):
                return {"statusCode": 201, "body": {
                    "id": request["queryParameters"]["id"], "first": request.query("id"),
                    "who": context.account_id, "same": context["accountId"],
                    "trace": context.trace_id, "left": context.remaining_ms(),
                    "path": request.path_parameters, "user": request.user_path,
                    "agent": request.header("User-Agent"), "text": request.body,
                    "scopes": context.scopes, "method": request.method}}
        """)
        answer = await world.answer(
            target,
            body=b'{"broken',
            request={
                "queryParameters": {"id": ["1", "2"]},
                "pathParameters": {"id": "7"},
                "userPath": "/a/b",
                "headers": {"user-agent": ["curl"]},
            },
        )
        assert answer.status == 201
        assert answer.headers == (("content-type", "application/json"),)
        got = json.loads(answer.body)
        assert 4_000 < got.pop("left") <= 5_000
        assert got == {
            "id": ["1", "2"],
            "first": "1",
            "who": "account",
            "same": "account",
            "trace": "0" * 32,
            "path": {"id": "7"},
            "user": "/a/b",
            "agent": "curl",
            "text": '{"broken',
            "scopes": ["read:thing:custom"],
            "method": "GET",
        }
        assert answer.duration_us > 0

    play(scenario)


def test_asynchronous_and_one_argument_handlers(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(
            """
            import asyncio, functools

            async def run(request, context):
                await asyncio.sleep(0)
                return {"statusCode": 200, "body": request["method"]}

            async def alone(request):
                return {"statusCode": 200, "body": "alone"}

            def many(*arguments):
                return {"statusCode": 200, "body": str(len(arguments))}

            def defaulted(request, context=None):
                return {"statusCode": 200, "body": str(context is None)}
            """,
            "run",
            "alone",
            "many",
            "defaulted",
        )
        assert (await world.answer(target)).body == b"GET"
        assert (await world.answer(target, "alone")).body == b"alone"
        assert (await world.answer(target, "many")).body == b"2"
        assert (await world.answer(target, "defaulted")).body == b"False"

    play(scenario)


def test_body_bytes_pass_untouched_up_to_five_megabytes(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            def run(request):
                return {"statusCode": 200, "body": request.raw_body,
                        "headers": {"Content-Type": "application/octet-stream"}}
        """)
        body = bytes(range(256)) * 4 * 1024 * 5
        assert len(body) == 5 * 1024 * 1024
        answer = await world.answer(target, body=body)
        assert answer.body == body
        assert answer.headers == (("content-type", "application/octet-stream"),)

    play(scenario)


@pytest.mark.parametrize(
    ("result", "status", "headers", "body"),
    [
        ("{'statusCode': 200}", 200, (), b""),
        (
            "{'statusCode': 200, 'body': [1, 'é']}",
            200,
            (("content-type", "application/json"),),
            '[1,"é"]'.encode(),
        ),
        (
            "{'statusCode': 404, 'body': 'x', 'headers': {'Content-Type': 'text/plain'}}",
            404,
            (("content-type", "text/plain"),),
            b"x",
        ),
        (
            "{'statusCode': 200, 'headers': {'X-A': ['1', '2'], 'Content-Length': '9'}}",
            200,
            (("x-a", "1"), ("x-a", "2")),
            b"",
        ),
        ("{'statusCode': 204, 'body': 'dropped'}", 204, (), b""),
        ("{'statusCode': 200, 'customHeader': 'done', 'statusText': 'fine'}", 200, (), b""),
        ("__import__('types').MappingProxyType({'statusCode': 200})", 200, (), b""),
        ("{'statusCode': __import__('http').HTTPStatus.CREATED}", 201, (), b""),
    ],
)
def test_results_that_can_be_sent(
    play: Play, result: str, status: int, headers: tuple[tuple[str, str], ...], body: bytes
) -> None:
    async def scenario(world: World) -> None:
        answer = await world.answer(world.app(f"def run(request): return {result}"))
        assert (answer.status, answer.headers, answer.body) == (status, headers, body)

    play(scenario)


def test_results_that_cannot_be_sent_say_why(play: Play) -> None:
    cases = {
        "none": ("None", "returned NoneType"),
        "nothing": ("{}", "'statusCode' must be an integer"),
        "text": ("{'statusCode': '200'}", "'statusCode' must be an integer"),
        "boolean": ("{'statusCode': True}", "'statusCode' must be an integer"),
        "early": ("{'statusCode': 103}", "from 200 to 599"),
        "high": ("{'statusCode': 600}", "from 200 to 599"),
        "object_body": ("{'statusCode': 200, 'body': object()}", "'body' must be"),
        "set_body": ("{'statusCode': 200, 'body': {'a': {1}}}", "'body' cannot be sent"),
        "nan_body": ("{'statusCode': 200, 'body': [float('nan')]}", "'body' cannot be sent"),
        "surrogate": ("{'statusCode': 200, 'body': '\\ud800'}", "'body' cannot be sent"),
        "large": ("{'statusCode': 200, 'body': b'x' * (5 * 1024 * 1024 + 1)}", "larger than 5 MB"),
        "crlf": ("{'statusCode': 200, 'headers': {'x-a': 'b\\r\\nset-cookie: c'}}", "not allowed"),
        "nul": ("{'statusCode': 200, 'headers': {'x-a': 'b\\0'}}", "not allowed"),
        "wide": ("{'statusCode': 200, 'headers': {'x-a': '\\u2028'}}", "not allowed"),
        "name": ("{'statusCode': 200, 'headers': {'x a': 'b'}}", "name is not valid"),
        "name_crlf": ("{'statusCode': 200, 'headers': {'x\\r\\n': 'b'}}", "name is not valid"),
        "framing": ("{'statusCode': 200, 'headers': {'Transfer-Encoding': 'chunked'}}", "may not"),
        "hop": ("{'statusCode': 200, 'headers': {'Connection': 'close'}}", "may not"),
        "cookie": ("{'statusCode': 200, 'headers': {'Set-Cookie': 'a=b'}}", "may not"),
        "number": ("{'statusCode': 200, 'headers': {'x-a': 1}}", "must be str"),
        "headers": ("{'statusCode': 200, 'headers': ['x']}", "'headers' must be a dict"),
        "many": ("{'statusCode': 200, 'headers': {'x': ['y'] * 101}}", "101 headers"),
    }

    async def scenario(world: World) -> None:
        source = "\n".join(
            f"def {name}(request): return {code}" for name, (code, _) in cases.items()
        )
        target = world.app(source, *cases)
        for name, (_, message) in cases.items():
            failure = await world.failure(target, name)
            assert failure.kind == ("too_large" if name == "large" else "bad_result")
            assert message in failure.message, (name, failure)
            assert failure.message in world.texts("ERROR")[-1]

    play(scenario)


def test_an_exception_is_logged_with_its_traceback_and_the_worker_goes_on(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(
            """
            import os

            def run(request):
                raise ValueError("no such employee")

            def leave(request):
                raise SystemExit(3)

            def pid(request):
                return {"statusCode": 200, "body": str(os.getpid())}
            """,
            "run",
            "leave",
            "pid",
        )
        before = (await world.answer(target, "pid")).body
        failure = await world.failure(target)
        assert (failure.kind, failure.message) == ("exception", "ValueError: no such employee")
        assert (await world.failure(target, "leave")).message == "SystemExit: 3"
        assert (await world.answer(target, "pid")).body == before
        trace = world.texts("ERROR")[0]
        assert trace.startswith("Traceback (most recent call last):\n")
        assert 'File "src/index.py", line 5, in run' in trace
        assert "worker.py" not in trace
        assert str(world.folder) not in trace

    play(scenario)


def test_variables_are_in_the_environment_before_import_and_ours_are_not(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALLYPORT_SECRET", "do not leak")

    async def scenario(world: World) -> None:
        target = world.app(
            """
            import os
            GREETING = os.environ["GREETING"]

            def run(request):
                first = open("/proc/self/environ").read()
                return {"statusCode": 200,
                        "body": {"greeting": GREETING, "all": dict(os.environ), "first": first}}
            """,
            variables=(("GREETING", "hi"),),
        )
        got = json.loads((await world.answer(target)).body)
        assert got["greeting"] == "hi"
        assert "do not leak" not in got["first"]
        assert set(got["all"]) <= {"GREETING", "HOME", "PATH", "TMPDIR", "LC_CTYPE"}

    play(scenario)


def test_handlers_in_folders_and_their_own_modules(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("x = 1", "api/people.find", "index.x")
        folder = target.bundle_dir / "src" / "api"
        folder.mkdir()
        (folder / "people.py").write_text(
            "import names\ndef find(request): return {'statusCode': 200, 'body': names.FIRST}\n"
        )
        (target.bundle_dir / "src" / "names.py").write_text("FIRST = 'Ada'\n")
        assert (await world.answer(target, "api/people.find")).body == b"Ada"
        failure = await world.failure(target, "index.x")
        assert failure.kind == "import_error"
        assert failure.message == "src/index.py has no function 'x'"

    play(scenario)


def test_an_app_cannot_import_the_platform(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            def run(request):
                found = []
                for name in ("sallyport", "msgspec", "sqlalchemy", "pip"):
                    try:
                        __import__(name)
                        found.append(name)
                    except ImportError:
                        pass
                import sallyport_app.kvs
                return {"statusCode": 200, "body": found}
        """)
        assert (await world.answer(target)).body == b"[]"

    play(scenario)
