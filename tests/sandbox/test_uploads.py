"""T-SBX-6: hostile uploads, sent to a real server; whatever they hold, nothing gets out or runs."""

from __future__ import annotations

import io
import os
import socket
import stat
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from serving import Platform, refused, serving

MANIFEST = """\
app:
  id: ari:cloud:ecosystem::app/{app_id}
  runtime:
    name: python3
modules:
  apiRoute:
    - key: get-name
      path: /getEmployeeName
      operation: GET
      function: getName
      scopes: [read:employee:custom]
  function:
    - key: getName
      handler: index.get_name
"""
SOURCE = "def get_name(request):\n    return {'statusCode': 200}\n"
GIGABYTE = 1024**3


@dataclass(frozen=True)
class Developer:
    """Somebody who deploys, and the folder in which the platform keeps everything."""

    client: httpx.Client
    platform: Platform
    app_id: str
    outside: Path

    @property
    def path(self) -> str:
        return f"/apps/{self.app_id}/environments/development/deployments"

    def deploy(self, archive: bytes) -> httpx.Response:
        headers = {"content-type": "application/zip"}
        return self.client.post(self.path, content=archive, headers=headers)

    def snapshot(self) -> dict[str, bytes | None]:
        """Every file that an upload could have written outside its own folder."""
        return {
            str(path): path.read_bytes() if path.is_file() else None
            for path in sorted(self.outside.rglob("*"))
            if "sallyport.db" not in path.name and not path.name.endswith((".db-wal", ".db-shm"))
        }

    def archive(self, *entries: tuple[str, bytes | str, int]) -> bytes:
        """A zip of a sound app and these entries: name, content, mode."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("manifest.yml", MANIFEST.format(app_id=self.app_id))
            packed.writestr("src/index.py", SOURCE)
            for name, content, mode in entries:
                info = zipfile.ZipInfo("x")
                info.filename = name
                info.create_system = 3
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = mode << 16
                packed.writestr(info, content)
        return buffer.getvalue()


@pytest.fixture(scope="module")
def developer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Developer]:
    folder = tmp_path_factory.mktemp("outside")
    (folder / "inner" / "bundles").mkdir(parents=True)
    with serving(folder / "inner") as platform:
        assert platform.claim().status_code == 201
        with platform.operator, platform.make_account("dev@acme.test") as client:
            app_id = client.post("/apps", json={"name": "People"}).json()["app_id"]
            scopes = {"scopes": [{"name": "read:employee:custom", "description": "Read names"}]}
            path = f"/apps/{app_id}/environments/development/custom-scopes"
            assert client.post(path, json=scopes).status_code == 200
            yield Developer(client, platform, app_id, folder)


REGULAR = stat.S_IFREG | 0o644

HARMFUL = {
    "a parent folder": ("../evil.py", "x", REGULAR),
    "parents further in": ("src/../../../evil.py", "x", REGULAR),
    "an absolute path": ("/tmp/evil.py", "x", REGULAR),
    "a Windows path": ("..\\evil.py", "x", REGULAR),
    "a drive": ("C:/evil.py", "x", REGULAR),
    "an empty part": ("src//evil.py", "x", REGULAR),
    "a dot": ("src/./evil.py", "x", REGULAR),
    "a symbolic link": ("src/passwd", "/etc/passwd", stat.S_IFLNK | 0o777),
    "a link to a folder": ("src/up", "../..", stat.S_IFLNK | 0o777),
    "a character device": ("src/null", "", stat.S_IFCHR | 0o666),
    "a block device": ("src/disk", "", stat.S_IFBLK | 0o666),
    "a pipe": ("src/pipe", "", stat.S_IFIFO | 0o666),
    "a socket": ("src/socket", "", stat.S_IFSOCK | 0o666),
    "text that turns around": ("src/\u202eyp.exe", "x", REGULAR),
    "an invisible character": ("src/in\u200bdex.py", "x", REGULAR),
    "a line end": ("src/a\nb.py", "x", REGULAR),
    "an escape": ("src/\x1b[2J.py", "x", REGULAR),
    "a private character": ("src/\ue000.py", "x", REGULAR),
    "a file of the same name in capitals": ("SRC/INDEX.PY", "x", REGULAR),
    "a file that is a folder too": ("src/index.py/x", "x", REGULAR),
    "a name of 300 letters": (f"src/{'a' * 300}.py", "x", REGULAR),
    "a path of 40 folders": ("a/" * 40 + "x", "x", REGULAR),
}


@pytest.mark.parametrize("what", HARMFUL)
def test_an_entry_that_is_no_plain_file_is_refused(developer: Developer, what: str) -> None:
    before = developer.snapshot()
    problem = refused(developer.deploy(developer.archive(HARMFUL[what])), 422, "bundle_invalid")
    assert problem["fix"]
    assert developer.snapshot() == before


def test_two_names_that_look_the_same_are_refused(developer: Developer) -> None:
    archive = developer.archive(
        ("src/caf\u00e9.py", "1", REGULAR), ("src/cafe\u0301.py", "2", REGULAR)
    )
    refused(developer.deploy(archive), 422, "bundle_invalid")


def test_a_tar_archive_with_devices_is_no_upload(developer: Developer) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        device = tarfile.TarInfo("src/disk")
        device.type = tarfile.BLKTYPE
        archive.addfile(device)
    refused(developer.deploy(buffer.getvalue()), 422, "bundle_invalid")


def test_build_scripts_are_kept_and_never_run(developer: Developer) -> None:
    marker = developer.outside / "marker"
    script = f"open({str(marker)!r}, 'w').write('ran')\n"
    names = ("setup.py", "conftest.py", "src/sitecustomize.py", "src/usercustomize.py")
    archive = developer.archive(
        *((name, script, REGULAR) for name in names),
        ("src/evil.pth", f"import os; {script}", REGULAR),
        ("Makefile", f"all:\n\ttouch {marker}\n", REGULAR),
        ("setup.cfg", "[metadata]\nname = evil\n", REGULAR),
    )
    assert developer.deploy(archive).status_code == 201
    assert not marker.exists()


def test_what_is_unpacked_can_be_neither_changed_nor_run(developer: Developer) -> None:
    archive = developer.archive(("bin/tool", "#!/bin/sh\n", stat.S_IFREG | 0o6755))
    made = developer.deploy(archive)
    assert made.status_code == 201
    folder = developer.platform.services.bundles / made.json()["bundle"]
    modes = {stat.S_IMODE(os.lstat(path).st_mode) for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o444}


# ---- large ones


def test_ten_gigabytes_that_are_announced_are_refused_unread(developer: Developer) -> None:
    url = httpx.URL(developer.platform.url)
    request = developer.client.build_request("POST", developer.path, content=b"")
    authorization = developer.client.auth
    assert authorization is not None
    sent = next(authorization.sync_auth_flow(request)).headers["authorization"]
    head = (
        f"POST /api/v1{developer.path} HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: {sent}\r\n"
        f"Content-Type: application/zip\r\nContent-Length: {10 * GIGABYTE}\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80), timeout=20) as raw:
        raw.sendall(head.encode())
        assert b" 413 " in raw.recv(4096).partition(b"\r\n")[0]


def test_a_stream_without_an_end_is_cut(developer: Developer) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(10 * 1024):
            yield b"\0" * 1024 * 1024

    try:
        answer = developer.client.post(
            developer.path, content=endless(), headers={"content-type": "application/zip"}
        )
        assert answer.status_code == 413
    except (httpx.WriteError, httpx.ReadError):
        # The server answers and hangs up while we are still sending.
        pass


def test_an_archive_that_unpacks_to_far_more_is_refused(developer: Developer) -> None:
    bomb = developer.archive(("src/zeros", b"\0" * (26 * 1024 * 1024), REGULAR))
    assert len(bomb) < 100_000
    problem = refused(developer.deploy(bomb), 422, "bundle_invalid")
    assert "25 MB" in problem["detail"]


def test_a_size_that_is_a_lie_is_found_out_while_it_is_read(developer: Developer) -> None:
    bomb = bytearray(developer.archive(("src/zeros", b"\0" * (30 * 1024 * 1024), REGULAR)))
    told = struct.pack("<L", 30 * 1024 * 1024)
    assert bomb.count(told) == 2
    before = developer.snapshot()
    smaller = bytes(bomb).replace(told, struct.pack("<L", 1_000))
    refused(developer.deploy(smaller), 422, "bundle_invalid")
    assert developer.snapshot() == before


def test_files_that_share_their_bytes_do_not_multiply(developer: Developer) -> None:
    """Overlapping entries: a directory of many names for one compressed stream."""
    plain = developer.archive(("src/zeros", b"\0" * (20 * 1024 * 1024), REGULAR))
    opened = zipfile.ZipFile(io.BytesIO(plain))
    start = opened.start_dir
    entry_at = plain.rindex(b"PK\x01\x02")
    entry, end = plain[entry_at:-22], plain[-22:]
    copies = b"".join(entry.replace(b"src/zeros", b"src/z%04d" % n) for n in range(1_000))
    directory = plain[start:entry_at] + copies
    count = 2 + 1_000
    tail = end[:8] + struct.pack("<HHL", count, count, len(directory)) + end[16:]
    problem = refused(developer.deploy(plain[:start] + directory + tail), 422, "bundle_invalid")
    assert "25 MB" in problem["detail"]


def test_too_many_files_are_refused(developer: Developer) -> None:
    archive = developer.archive(*((f"src/{n}.txt", "", REGULAR) for n in range(5_000)))
    assert "5000" in refused(developer.deploy(archive), 422, "bundle_invalid")["detail"]
