"""What others do: a fresh interpreter for each call, and functions-framework as a server."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from bench.runtime.memory import Held, held_by_tree
from bench.runtime.ours import EXPECTED, PATH

FUNCTIONS_FRAMEWORK = "3.10.2"
PYTHON_SCRIPT = "import json, sys; sys.stdout.write(json.dumps({'hello': sys.argv[1]}))"
NODE_SCRIPT = "process.stdout.write(JSON.stringify({hello: process.argv[1]}))"
FRAMEWORK_APP = """\
import json

def run(request):
    return json.dumps({"hello": request.path}), 200, {"content-type": "application/json"}
"""


class FreshProcess:
    """A new interpreter that answers and ends."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self._command = [*command, PATH]

    async def first_of_version(self) -> float:
        return await asyncio.to_thread(self._run)

    def _run(self) -> float:
        started = time.perf_counter()
        done = subprocess.run(self._command, capture_output=True, check=True, env={})
        took = (time.perf_counter() - started) * 1000
        assert done.stdout in EXPECTED, done.stdout
        return took

    async def close(self) -> None:
        """There is nothing."""


def fresh_python() -> FreshProcess:
    return FreshProcess("fresh `python -I`", [sys.executable, "-I", "-c", PYTHON_SCRIPT])


def fresh_node(node: Path) -> FreshProcess:
    return FreshProcess("fresh `node`", [str(node), "-e", NODE_SCRIPT])


class FunctionsFramework:
    """The server of functions-framework (PyPI), from an environment of its own, over HTTP."""

    def __init__(self, environment: Path) -> None:
        self.name = f"functions-framework {FUNCTIONS_FRAMEWORK}"
        self._program = environment / "bin" / "functions-framework"
        self._folder = Path(tempfile.mkdtemp(prefix="sallyport-bench-"))
        (self._folder / "main.py").write_text(FRAMEWORK_APP)
        self._server: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._connection: http.client.HTTPConnection | None = None

    async def first_of_version(self) -> float:
        return await asyncio.to_thread(self._start_and_end)

    async def warm(self) -> float:
        return await asyncio.to_thread(self._warm)

    def idle_memory(self) -> Held:
        assert self._server is not None
        return held_by_tree(self._server.pid)

    async def close(self) -> None:
        if self._server is not None:
            _end(self._server)
        shutil.rmtree(self._folder)

    def _start_and_end(self) -> float:
        started = time.perf_counter()
        server, port = self._start()
        try:
            _ask_until_it_answers(port)
            return (time.perf_counter() - started) * 1000
        finally:
            _end(server)

    def _warm(self) -> float:
        if self._connection is None:
            self._server, self._port = self._start()
            _ask_until_it_answers(self._port)
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            started = time.perf_counter()
            _ask(self._connection)
        except ConnectionError:
            # It ends connections that were idle for a while; a new one is made by the next request.
            self._connection.close()
            _ask(self._connection)
            started = time.perf_counter()
            _ask(self._connection)
        return (time.perf_counter() - started) * 1000

    def _start(self) -> tuple[subprocess.Popen[bytes], int]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        server = subprocess.Popen(
            [
                *(str(self._program), "--target", "run", "--source", "main.py"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            cwd=self._folder,
            env={"PATH": os.defpath},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return server, port


def install_functions_framework(folder: Path) -> FunctionsFramework | None:
    """functions-framework in a virtual environment below `folder`; None where it cannot be had."""
    environment = folder / f"functions-framework-{FUNCTIONS_FRAMEWORK}"
    if not (environment / "bin" / "functions-framework").exists():
        try:
            venv.create(environment, with_pip=True)
            subprocess.run(
                [
                    *(str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"),
                    *("--only-binary", ":all:", f"functions-framework=={FUNCTIONS_FRAMEWORK}"),
                ],
                check=True,
                timeout=300,
            )
        except (subprocess.SubprocessError, OSError):
            return None
    return FunctionsFramework(environment)


def _ask(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", PATH)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, answer.status
    assert body in EXPECTED, body


def _ask_until_it_answers(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            _ask(connection)
            return
        except (ConnectionError, http.client.HTTPException):
            if time.monotonic() > until:
                raise
            time.sleep(0.002)
        finally:
            connection.close()


def _end(server: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
