"""Node in the sandbox: the same apps, and what they can reach of the host: nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from node_world import Play, World

SPY = """
const fs = require('node:fs');
const tell = (work) => {
  try { return work(); } catch (error) { return error.code ?? error.message; }
};
const later = (work) => work().then((found) => found, (error) => error.code ?? error.message);

exports.files = () => ({ statusCode: 200, body: {
  home: process.cwd(),
  passwd: tell(() => fs.readFileSync('/etc/passwd', 'utf8')),
  secret: tell(() => fs.readFileSync(process.env.SECRET, 'utf8')),
  bundle: tell(() => fs.readdirSync(process.env.BUNDLE)),
  host: tell(() => fs.readdirSync('/host')),
  written: tell(() => fs.writeFileSync('/usr/lib/x', 'x')),
  own: tell(() => {
    fs.writeFileSync('/tmp/note', process.env.NAME);
    return fs.readdirSync('/tmp');
  }),
} });

exports.processes = () => ({ statusCode: 200, body: {
  pid: process.pid,
  seen: tell(() => fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))),
  user: tell(() => process.getuid()),
  kill: tell(() => process.kill(Number(process.env.HOST_PID), 0)),
} });

exports.network = async () => ({ statusCode: 200, body: {
  interfaces: tell(() => Object.keys(require('node:os').networkInterfaces())),
  listen: await later(() => new Promise((resolve, reject) => {
    const server = require('node:net').createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => resolve('listens'));
  })),
  connect: await later(() => new Promise((resolve, reject) => {
    const socket = require('node:net').connect(Number(process.env.PORT), '127.0.0.1');
    socket.on('error', reject);
    socket.on('connect', () => resolve('connected'));
  })),
} });

exports.loop = () => {
  require('node:child_process').spawn('/bin/sleep', ['300'], { detached: true });
  for (;;);
};
"""


def test_the_hosts_files_are_not_there(play_in_sandbox: Play) -> None:
    async def scenario(world: World) -> None:
        secret = world.folder / "secret"
        secret.write_text("secret")
        app = world.app(SPY, "files")
        seen = {}
        for name in ("installation-1", "installation-2"):
            variables = (("SECRET", str(secret)), ("BUNDLE", str(app.folder)), ("NAME", name))
            target = app.target(name, variables=variables)
            seen[name] = json.loads((await world.answer(target, "files")).body)
        for found in seen.values():
            assert found["home"] == "/tmp"
            assert found["passwd"].startswith("app:")
            assert found["secret"] == found["bundle"] == "ENOENT"
            assert found["written"] in ("EROFS", "EACCES")
            # Neither sees what the other has put into its own /tmp.
            assert found["own"] == ["note"]
            assert found["host"] in ([], "EACCES", "ENOENT")

    play_in_sandbox(scenario)


def test_the_hosts_processes_are_not_there(play_in_sandbox: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(SPY, "processes")
        target = app.target(variables=(("HOST_PID", str(os.getpid())),))
        found = json.loads((await world.answer(target, "processes")).body)
        assert found["pid"] == 1
        assert found["seen"] in (["1"], [], "ENOENT")
        assert found["user"] != 0
        assert found["kill"] == "ESRCH"

    play_in_sandbox(scenario)


def test_there_is_no_network(play_in_sandbox: Play, listening: int) -> None:
    async def scenario(world: World) -> None:
        target = world.app(SPY, "network").target(variables=(("PORT", str(listening)),))
        found = json.loads((await world.answer(target, "network")).body)
        assert found["interfaces"] in ([], "ERR_SYSTEM_ERROR")
        assert found["listen"] != "listens"
        assert found["connect"] != "connected"

    play_in_sandbox(scenario)


def test_without_the_sandbox_all_of_it_would_be_there(play: Play, listening: int) -> None:
    async def scenario(world: World) -> None:
        secret = world.folder / "secret"
        secret.write_text("secret")
        app = world.app(SPY.replace("/tmp/note", str(world.folder / "note")), "files", "network")
        variables = (("SECRET", str(secret)), ("BUNDLE", str(app.folder)), ("NAME", "x"))
        target = app.target(variables=(*variables, ("PORT", str(listening))))
        found = json.loads((await world.answer(target, "files")).body)
        assert found["secret"] == "secret"
        assert found["bundle"] == ["dist"]
        found = json.loads((await world.answer(target, "network")).body)
        assert found["connect"] == "connected"

    play(scenario)


def test_nothing_is_left_after_a_timeout(play_in_sandbox: Play) -> None:
    before = sleeping()

    async def scenario(world: World) -> None:
        app = world.app(SPY, "loop", "processes")
        failure = await world.failure(app.target(), "loop", timeout_ms=500)
        assert failure.kind == "timeout"
        await world.answer(app.target(), "processes")
        assert sleeping() <= before

    play_in_sandbox(scenario)


def test_memory_is_what_the_manifest_grants(play_in_sandbox: Play) -> None:
    async def scenario(world: World) -> None:
        app = world.app(
            "exports.run = () => { const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1)); };"
            "exports.good = () => ({ statusCode: 200 });",
            "run",
            "good",
        )
        failure = await world.failure(app.target(memory_mb=128), timeout_ms=20_000)
        assert failure.kind == "out_of_memory"
        await world.answer(app.target(memory_mb=128), "good")

    play_in_sandbox(scenario)


def sleeping() -> set[int]:
    """The processes of this host that run `sleep 300`."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cmdline").read_bytes() == b"/bin/sleep\0300\0":
                    found.add(int(entry.name))
            except OSError:
                continue
    return found


@pytest.fixture
def listening() -> Any:
    """A port of the host's loopback address that takes connections."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
