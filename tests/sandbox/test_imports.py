"""What app code does while it is imported stays in its worker."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sallyport.model.decision import LogLine
from sallyport.runtime.call import Answer, Failure, Invocation, Limits, Outcome, Target
from sallyport.runtime.pool import Pool
from sallyport.runtime.running import CapabilityAnswer, RunningCall
from sallyport.runtime.sandbox import PlainDriver
from sallyport.runtime.sandbox.sandboxed import SandboxDriver
from sallyport.vocab.clock import SystemClock
from sallyport.vocab.ids import new_id

REQUEST: dict[str, Any] = {
    "method": "GET",
    "path": "/",
    "userPath": "",
    "headers": {},
    "queryParameters": {},
    "pathParameters": {},
}

# Memory that every fork of the importing process shares.
SHARED = """
import mmap, secrets
shared = mmap.mmap(-1, 4096)

def run(request):
    found = shared[:6].decode()
    shared[:6] = b"secret"
    return {"statusCode": 200, "body": found.strip(chr(0))}
"""


@pytest.mark.parametrize("driver", ["sandbox", "plain"])
def test_an_import_joins_no_two_installations(
    driver: str, doctor: dict[str, Any], tmp_path: Path
) -> None:
    async def scenario(pool: Pool) -> None:
        target = _target(tmp_path, SHARED)
        await _answer(pool, target)
        seen = await _answer(pool, replace(target, installation_id="two"))
        assert seen == ("secret" if driver == "plain" else "")

    _play(driver, doctor, scenario)


def test_an_app_may_have_a_module_that_python_has_too(
    doctor: dict[str, Any], tmp_path: Path
) -> None:
    async def scenario(pool: Pool) -> None:
        target = _target(
            tmp_path,
            "import statistics\n"
            "def run(request): return {'statusCode': 200, 'body': statistics.MINE}\n",
        )
        (target.bundle_dir / "src" / "statistics.py").write_text("MINE = 'mine'\n")
        assert await _answer(pool, target) == "mine"

    _play("sandbox", doctor, scenario)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import os\nos._exit(3)\n", "its process ended while it was imported"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\nraise SystemExit\n", "System"),
        ("while True: pass\n", "it took too long while it was imported"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("raise MemoryError\n", "MemoryError"),
    ],
)
def test_an_import_that_fails_says_how(
    source: str, says: str, doctor: dict[str, Any], tmp_path: Path
) -> None:
    async def scenario(pool: Pool) -> None:
        for _ in range(2):
            outcome = await _call(pool, _target(tmp_path, source))
            assert isinstance(outcome, Failure)
            assert outcome.kind == "import_error"
            assert says in outcome.message

    _play("sandbox", doctor, scenario, start_ms=1_000)


def test_what_is_printed_at_import_is_in_the_first_log(
    doctor: dict[str, Any], tmp_path: Path
) -> None:
    lines: list[LogLine] = []

    async def scenario(pool: Pool) -> None:
        source = "print('imported')\ndef run(request): return {'statusCode': 200, 'body': 'x'}\n"
        await _answer(pool, _target(tmp_path, source))
        assert [line.text for line in lines] == ["imported"]

    _play("sandbox", doctor, scenario, lines=lines)


def _play(
    name: str,
    doctor: dict[str, Any],
    scenario: Any,
    lines: list[LogLine] | None = None,
    **limits: int,
) -> None:
    if name == "sandbox" and not doctor["fit"]:
        pytest.skip(f"This host has no sandbox: {doctor['problem']}")

    async def go() -> None:
        driver = SandboxDriver() if name == "sandbox" else PlainDriver()
        sink = lines if lines is not None else []
        pool = Pool(driver, Limits(**limits), SystemClock(), sink.append, _nothing)
        try:
            await scenario(pool)
        finally:
            await pool.close()
            driver.close()

    asyncio.run(go())


async def _nothing(_running: RunningCall, _payload: bytes) -> CapabilityAnswer:
    return b'{"status":404,"headers":[]}', b"{}"


def _target(folder: Path, source: str) -> Target:
    (folder / "app" / "src").mkdir(parents=True, exist_ok=True)
    (folder / "app" / "src" / "index.py").write_text(source)
    return Target("one", "site", "environment", folder / "app", ("index.run",))


async def _call(pool: Pool, target: Target) -> Outcome:
    call = Invocation(new_id(), "0" * 32, "run", "index.run", REQUEST, b"", {}, 5_000)
    return await pool.invoke(target, call)


async def _answer(pool: Pool, target: Target) -> str:
    outcome = await _call(pool, target)
    assert isinstance(outcome, Answer), outcome
    return outcome.body.decode()
