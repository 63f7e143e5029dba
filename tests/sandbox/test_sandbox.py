"""T-SBX: hostile apps, deployed for real, asserted from outside.

Every attack runs on a platform with sandboxes, where it must fail, and on one without, where it
succeeds: so each is known to bite.
"""

from __future__ import annotations

import os
import platform
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sandbox_world import Field, named_processes

MEGABYTE = 1024 * 1024
only_x86_64 = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="The attack calls the kernel by the numbers of x86_64."
)


@contextmanager
def listening(sock: socket.socket) -> Iterator[list[bool]]:
    """Greet whoever connects; the list tells whether anybody did."""
    met: list[bool] = []

    def serve() -> None:
        while True:
            try:
                peer, _ = sock.accept()
            except OSError:
                return
            met.append(True)
            with peer:
                peer.sendall(b"hello")

    sock.listen(4)
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield met
    finally:
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()
        thread.join()


# ---- T-SBX-1: other processes, the host's files


def test_other_processes_cannot_be_seen(field: Field) -> None:
    seen = field.attack("processes") or []
    assert (field.platform_pid in seen) == field.open
    assert bool(seen) == field.open


def test_other_processes_cannot_be_signalled(field: Field) -> None:
    # The neighbour's worker, by its number on the host.
    name = f"n{uuid.uuid4().hex[:12]}"
    field.attack("processes", field.neighbour)
    victim = threading.Thread(
        target=lambda: field.neighbour.call("GET", "/attack/hang", params={"name": name})
    )
    victim.start()
    try:
        pid = _first(name)
        assert bool(field.attack("signal", pid=pid)) == field.open
    finally:
        victim.join()


@pytest.mark.parametrize("path", ["/etc/shadow", "/proc/1/cmdline", "/etc/hostname"])
def test_the_hosts_files_cannot_be_read(field: Field, path: str) -> None:
    if path == "/proc/1/cmdline" and field.driver == "sandbox":
        # The first process that it sees is its own.
        assert field.platform_pid not in (field.attack("processes") or [])
        return
    if not os.access(path, os.R_OK):
        pytest.skip(f"{path} is not there, or not readable to the user of the tests.")
    assert (field.attack("read", path=path) is not None) == field.open


def test_the_platforms_key_and_other_apps_code_cannot_be_read(field: Field) -> None:
    data = field.demo.folder.resolve()
    assert (field.attack("read", path=data / "master.key") is not None) == field.open
    assert bool(field.attack("list", path=data / "bundles")) == field.open


def test_the_bundle_and_the_runtime_cannot_be_written(field: Field) -> None:
    for path in ("/app/src/x.py", f"{os.__file__}.x", "/x", "/host/x", "/dev/x"):
        assert field.attack("write", path=path) is None or field.open


def test_sockets_of_the_host_cannot_be_reached(field: Field, tmp_path: Path) -> None:
    path = tmp_path / "s"
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    path.chmod(0o777)
    with listening(sock) as met:
        got = field.attack("connect_path", path=path)
    assert (got == "hello") == bool(met) == field.open


# ---- T-SBX-2: the network


def test_there_is_no_network(field: Field) -> None:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    with listening(sock) as met:
        got = field.attack("connect", port=sock.getsockname()[1])
    assert (got == "hello") == bool(met) == field.open


def test_no_datagram_leaves(field: Field) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(2 if field.open else 0.1)
        field.attack("datagram", port=sock.getsockname()[1])
        try:
            came = sock.recv(100) == b"out"
        except TimeoutError:
            came = False
    assert came == field.open


def test_abstract_sockets_of_the_host_cannot_be_reached(field: Field) -> None:
    name = uuid.uuid4().hex
    sock = socket.socket(socket.AF_UNIX)
    sock.bind("\0" + name)
    with listening(sock) as met:
        got = field.attack("abstract", name=name)
    assert (got == "hello") == bool(met) == field.open


# ---- T-SBX-3: more than its share


def test_processes_are_limited(field: Field) -> None:
    made = field.attack("fork", count=100)
    assert (made == 100) == field.open
    assert made > 0


def test_threads_are_limited(field: Field) -> None:
    assert (field.attack("threads", count=200) == 200) == field.open


def test_the_disk_cannot_be_filled(field: Field) -> None:
    written = field.attack("fill", megabytes=96)
    assert (written == 96) == field.open
    assert written >= 32


def test_files_are_limited_in_number(field: Field) -> None:
    assert (field.attack("files", count=6000) == 6000) == field.open


def test_memory_is_limited_for_all_processes_together(field: Field) -> None:
    if field.driver == "sandbox" and not field.groups:
        pytest.skip("This host gives us no control groups; each process is limited by itself.")
    answer = field.app.call("GET", "/attack/memory", params={"megabytes": 150, "processes": 8})
    whole = answer.status_code == 200 and answer.json()["got"] == 8
    assert not whole
    # The platform and the next call are none the worse.
    assert field.attack("user") is not None


# ---- T-SBX-4: what another installation left


def test_nothing_is_left_for_another_installation(field: Field) -> None:
    path, text = f"/tmp/left-{uuid.uuid4().hex}", uuid.uuid4().hex
    try:
        assert field.attack("leave", path=path, text=text) == text
        assert (field.attack("find", field.neighbour, path=path) == text) == field.open
        assert Path(path).exists() == field.open
    finally:
        Path(path).unlink(missing_ok=True)


def test_two_installations_are_two_users(field: Field) -> None:
    if os.geteuid() != 0:
        pytest.skip("Only root can give each worker a user of its own.")
    names = [f"u{uuid.uuid4().hex[:12]}" for _ in range(2)]
    owners = []
    for app, name in zip((field.app, field.neighbour), names, strict=True):
        call = threading.Thread(
            target=lambda app=app, name=name: app.call("GET", "/attack/hang", params={"name": name})
        )
        call.start()
        pid = _first(name)
        status = Path(f"/proc/{pid}/status").read_text()
        owners.append(int(status.partition("\nUid:")[2].split()[0]))
        call.join()
    assert (owners[0] == owners[1]) == field.open
    assert (0 in owners) == field.open


# ---- T-SBX-5: the kernel


@only_x86_64
@pytest.mark.parametrize(
    "name",
    ["unshare", "clone", "keyring", "io_uring", "trace", "personality", "read_memory"],
)
def test_dangerous_system_calls_are_refused(field: Field, name: str) -> None:
    told = field.told(name)
    if field.open and not told["got"]:
        pytest.skip(f"This host refuses it to everybody: {told['error']}.")
    assert bool(told["got"]) == field.open, told


def test_no_program_can_be_started(field: Field) -> None:
    assert bool(field.attack("execute", path="/bin/true")) == field.open


# ---- T-SBX-7: a time limit frees what was held


def test_nothing_is_left_of_a_call_past_its_time_limit(field: Field) -> None:
    name = f"h{uuid.uuid4().hex[:12]}"
    answer = field.app.call("GET", "/attack/hang", params={"name": name})
    assert answer.status_code == 504
    assert answer.json()["reason"] == "invocation_timeout"
    _until(lambda: not named_processes(name))


# ---- T-SBX-8: what is printed takes no memory of ours


def test_a_flood_of_output_does_not_grow_the_platform(field: Field) -> None:
    field.attack("flood", megabytes=1)
    before = _resident(field.platform_pid)
    assert field.attack("flood", megabytes=64)
    assert _resident(field.platform_pid) - before < 24 * MEGABYTE


def _first(name: str) -> int:
    _until(lambda: bool(named_processes(name)))
    return named_processes(name)[0]


def _until(reached: object, seconds: float = 5) -> None:
    assert callable(reached)
    ends = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.02)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
