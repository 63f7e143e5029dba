"""Archives: what `pack` makes can be stored, and nothing hostile can be unpacked."""

from __future__ import annotations

import importlib.util
import io
import os
import stat
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sallyport.manifest.pack import pack
from sallyport.runtime.bundle import bundle_path, store_bundle
from sallyport.vocab.errors import Reason, Refused


def archive(*entries: tuple[str, bytes], mode: int = stat.S_IFREG | 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.filename = name
            info.create_system = 3
            info.external_attr = mode << 16
            file.writestr(info, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def refusal(directory: Path, data: bytes) -> str:
    with pytest.raises(Refused) as caught:
        store_bundle(directory, data)
    assert caught.value.reason is Reason.BUNDLE_INVALID
    assert list(directory.glob("*")) == []
    return caught.value.detail


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "src" / "api").mkdir(parents=True)
    (folder / "manifest.yml").write_text("app: {}\n")
    (folder / "src" / "index.py").write_text("x = 1\n")
    (folder / "src" / "api" / "people.py").write_text("y = 2\n")
    return folder


def test_what_is_packed_is_stored_read_only(app: Path, tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    data = pack(app)
    digest = store_bundle(bundles, data)
    folder = bundle_path(bundles, digest)
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*[yl]"))
    assert found == ["manifest.yml", "src/api/people.py", "src/index.py"]
    assert (folder / "src" / "index.py").read_text() == "x = 1\n"
    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o222 == 0, path
    assert store_bundle(bundles, data) == digest
    assert [path.name for path in bundles.iterdir()] == [digest]


def test_the_same_files_pack_to_the_same_bytes(app: Path) -> None:
    first = pack(app)
    os.utime(app / "src" / "index.py", (1, 1))
    (app / "src" / "index.py").chmod(0o600)
    assert pack(app) == first


def test_what_does_not_belong_to_the_app_is_left_out(app: Path) -> None:
    before = pack(app)
    (app / ".env").write_text("SECRET=1")
    (app / ".git").mkdir()
    (app / ".git" / "config").write_text("x")
    (app / "src" / "__pycache__").mkdir()
    (app / "src" / "__pycache__" / "index.pyc").write_bytes(b"x")
    (app / "src" / ".hidden.py").write_text("x")
    assert pack(app) == before


@pytest.mark.parametrize("make", [os.symlink, lambda _, path: os.mkfifo(path)])
def test_links_and_special_files_are_not_packed(app: Path, make: Callable[..., None]) -> None:
    make("/etc/passwd", app / "src" / "x.py")
    with pytest.raises(Refused, match=r"src/x\.py is a link or a special file"):
        pack(app)


def test_a_large_app_is_not_packed(app: Path) -> None:
    with (app / "big.bin").open("wb") as file:
        file.truncate(26 * 1024 * 1024)
    with pytest.raises(Refused, match="larger than 25 MB"):
        pack(app)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../x.py",
        "src/../../x.py",
        "src/./x.py",
        "./x.py",
        "src//x.py",
        "..",
        "C:/x.py",
        "src\\x.py",
        "src/x\x1b.py",
        "src/x\u202e.py",
        "src/x\n.py",
        "s" * 256,
        "/".join("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"),
    ],
)
def test_names_that_are_not_plain_relative_paths_are_refused(tmp_path: Path, name: str) -> None:
    assert "name" in refusal(tmp_path / "b", archive((name, b"x")))
    assert not (tmp_path / "x.py").exists()


def test_a_name_cut_by_a_nul_is_refused(tmp_path: Path) -> None:
    data = archive(("src/x.pyZ/../../y", b"x")).replace(b"x.pyZ", b"x.py\0")
    refusal(tmp_path / "b", data)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    data = archive(("src/index.py", b"/etc/passwd"), mode=kind | 0o777)
    assert "link or a device" in refusal(tmp_path / "b", data)


@pytest.mark.parametrize(
    "names",
    [("a.py", "a.py"), ("a.py", "A.py"), ("\u00e9.py", "e\u0301.py"), ("a", "a/b"), ("a/b", "a")],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_collide_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    refusal(tmp_path / "b", archive(*((name, b"x") for name in names)))


def test_a_bomb_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    bomb = archive(*((f"{n}.bin", bytes(20 * 1024 * 1024)) for n in range(10)))
    assert len(bomb) < 1024 * 1024
    tracemalloc.start()
    try:
        assert "larger than 25 MB" in refusal(tmp_path / "b", bomb)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_size_that_lies_is_found_out(tmp_path: Path) -> None:
    data = archive(("a.bin", bytes(1_000_000)))
    small, large = (10).to_bytes(4, "little"), (1_000_000).to_bytes(4, "little")
    refusal(tmp_path / "b", data.replace(large, small))


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    assert "files" in refusal(tmp_path / "b", archive(*((f"{n}", b"") for n in range(5_001))))
    assert "files" in refusal(tmp_path / "c", b"PK\x01\x02" * 30_000)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_any_bytes_are_stored_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int, patch: bytes
) -> None:
    good = archive(("src/index.py", b"x = 1\n" * 20), ("manifest.yml", b"app: {}"))
    directory = tmp_path_factory.mktemp("any")
    for each in (data, good[:at] + patch + good[at + len(patch) :]):
        try:
            digest = store_bundle(directory, each)
        except Refused:
            continue
        folder = bundle_path(directory, digest).resolve()
        assert all(folder in path.resolve().parents for path in folder.rglob("*"))
    assert all(not path.name.startswith(".") for path in directory.iterdir())


def test_python_files_are_kept_compiled_and_those_that_cannot_be_are_kept_as_they_are(
    tmp_path: Path,
) -> None:
    marker = tmp_path / "marker"
    data = archive(
        ("src/good.py", f"open({str(marker)!r}, 'w')\n".encode()),
        ("src/bad.py", b"def (:\n"),
        ("src/deep.py", b"(" * 100_000),
        ("src/__pycache__/good.cpython-311.pyc", b"not what the source says"),
    )
    folder = bundle_path(tmp_path / "bundles", store_bundle(tmp_path / "bundles", data))
    (compiled,) = (folder / "src" / "__pycache__").glob(f"good.{sys.implementation.cache_tag}.pyc")
    assert compiled.read_bytes()[:4] == importlib.util.MAGIC_NUMBER
    assert stat.S_IMODE(compiled.stat().st_mode) == 0o444
    assert (folder / "src" / "bad.py").read_bytes() == b"def (:\n"
    assert not marker.exists()
