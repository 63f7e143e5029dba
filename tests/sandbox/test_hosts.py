"""Hosts that have a sandbox, and hosts that have none: what is started, and what is said."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from demo_world import SALLYPORT, Demo, running
from sallyport.runtime.call import Failure, Invocation, Limits, Target
from sallyport.runtime.pool import Pool
from sallyport.runtime.running import CapabilityAnswer, RunningCall
from sallyport.runtime.sandbox import Guarantee, PlainDriver
from sallyport.runtime.sandbox.choice import NoSandbox, choose_driver
from sallyport.runtime.sandbox.filter import program, supported
from sallyport.vocab.clock import SystemClock

HERE = Path(__file__).resolve()
SITE_PACKAGES = next(Path(path) for path in sys.path if path.endswith("site-packages"))
SOURCE = HERE.parents[2] / "src"

# A host without user namespaces and without privileges, whoever runs the tests.
NO_NAMESPACES = (
    "import ctypes, os, sys\n"
    "libc = ctypes.CDLL(None)\n"
    "assert libc.unshare(0x10000000) == 0\n"
    "open('/proc/sys/user/max_user_namespaces', 'w').write('0')\n"
    "header = (ctypes.c_uint32 * 2)(0x20080522, 0)\n"
    "assert libc.capset(header, (ctypes.c_uint32 * 6)()) == 0\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)


@pytest.fixture
def bare(doctor: dict[str, Any]) -> tuple[str, ...]:
    """A command line that runs another where no sandbox can be had."""
    if not doctor["fit"]:
        return ()
    return (sys.executable, "-c", NO_NAMESPACES)


def test_doctor_says_line_by_line_what_holds(doctor: dict[str, Any]) -> None:
    assert set(doctor["guarantees"]) == {each.name.lower() for each in Guarantee}
    done = subprocess.run([SALLYPORT, "doctor"], capture_output=True, text=True)
    for guarantee in Guarantee:
        assert guarantee.value in done.stdout
    assert done.returncode == (0 if doctor["fit"] else 1)


def test_doctor_exits_with_1_where_untrusted_code_cannot_be_run(bare: tuple[str, ...]) -> None:
    done = subprocess.run([*bare, SALLYPORT, "doctor", "--json"], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    assert not said["fit"]
    assert "user namespaces" in said["problem"]
    assert not said["guarantees"]["own_filesystem"]


def test_calls_are_refused_where_there_is_no_sandbox() -> None:
    async def go() -> None:
        pool = Pool(NoSandbox("it is a test"), Limits(), SystemClock(), lambda _: None, _nothing)
        target = Target("i", "s", "e", Path("/nowhere"), ("index.run",))
        call = Invocation("i", "0" * 32, "run", "index.run", {}, b"", {}, 1_000)
        outcome = await pool.invoke(target, call)
        assert isinstance(outcome, Failure)
        assert outcome.kind == "no_sandbox"
        assert "it is a test" in outcome.message
        await pool.close()

    asyncio.run(go())


def test_a_demo_falls_back_and_says_so_but_not_when_told_to_use_sandboxes(
    bare: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = ("demo", "--json", "--once", "--port", "0", "--data", str(tmp_path / "one"))
    done = subprocess.run([*bare, SALLYPORT, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WITHOUT a sandbox" in done.stderr
    assert Guarantee.NO_NETWORK.value in done.stderr
    refused = subprocess.run(
        [*bare, SALLYPORT, *arguments[:-1], str(tmp_path / "two")],
        capture_output=True,
        text=True,
        env={**os.environ, "SALLYPORT_RUNTIME_DRIVER": "sandbox"},
    )
    assert refused.returncode == 1
    assert "503" in refused.stderr
    assert "sandbox_missing" in refused.stderr
    assert "Calls to apps are refused" in refused.stderr


def test_the_plain_driver_is_announced(tmp_path: Path) -> None:
    done = subprocess.run(
        [SALLYPORT, "demo", "--json", "--once", "--port", "0", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "SALLYPORT_RUNTIME_DRIVER": "plain"},
    )
    assert "WITHOUT a sandbox" in done.stderr


def test_only_auto_falls_back(doctor: dict[str, Any]) -> None:
    assert isinstance(choose_driver("plain"), PlainDriver)
    if doctor["fit"]:
        driver = choose_driver("auto", or_plain=True)
        assert driver.name == "sandbox"
        driver.close()


def test_an_ordinary_user_has_sandboxes_too(doctor: dict[str, Any], tmp_path: Path) -> None:
    if os.geteuid() != 0 or not doctor["fit"]:
        pytest.skip("The other tests show it, or this host has no sandboxes.")
    python = _python_for_everybody()
    code = (
        "import os, json\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from sallyport.runtime.sandbox.choice import examine\n"
        "from sallyport.runtime.sandbox.sandboxed import SandboxDriver\n"
        "driver = SandboxDriver(); found = examine(driver); driver.close()\n"
        "print(json.dumps([found.fit, found.problem]))\n"
    )
    done = subprocess.run(
        [python, "-B", "-c", code],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PYTHONPATH": f"{SOURCE}:{SITE_PACKAGES}"},
    )
    assert done.returncode == 0, done.stderr
    fit, problem = json.loads(done.stdout)
    if not fit and "namespaces" in problem:
        pytest.skip(f"This host lets ordinary users make no user namespaces: {problem}")
    assert fit, problem


def test_every_worker_ends_with_the_platform(doctor: dict[str, Any], tmp_path: Path) -> None:
    if not doctor["fit"]:
        pytest.skip(f"This host has no sandbox: {doctor['problem']}")
    arguments = ("demo", "--json", "--port", "0", "--data", str(tmp_path / "data"))
    with running(*arguments, SALLYPORT_RUNTIME_DRIVER="sandbox") as command:
        demo = Demo(json.loads(command.line(r"^\{.*").string), tmp_path)
        assert demo.call("GET", "/getEmployeeName?id=1234").status_code == 200
        below = _below(command.process.pid)
        assert len(below) >= 3
        command.process.send_signal(signal.SIGKILL)
        command.process.wait(10)
        ends = time.monotonic() + 5
        while any(_lives(pid) for pid in below):
            assert time.monotonic() < ends, "a process outlived the platform"
            time.sleep(0.02)


@pytest.mark.skipif(not supported(), reason="There is no filter for this processor.")
def test_the_filter_is_within_the_kernels_bounds() -> None:
    for may_execute in (False, True):
        code = program(may_execute=may_execute)
        assert len(code) % 8 == 0
        assert len(code) // 8 < 4096


async def _nothing(_running: RunningCall, _payload: bytes) -> CapabilityAnswer:
    return b"{}", b""


def _python_for_everybody() -> str:
    """A Python of this version that any user can run."""
    for candidate in (sys.executable, shutil.which("python3.11", path="/usr/local/bin:/usr/bin")):
        if candidate is None:
            continue
        real = Path(candidate).resolve()
        if all(parent.stat().st_mode & 0o001 for parent in real.parents):
            return candidate
    pytest.skip("There is no Python 3.11 on this machine that an ordinary user can run.")


def _below(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
            born = [int(child) for child in (task / "children").read_text().split()]
            found += born
            waiting += born
    return found


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
