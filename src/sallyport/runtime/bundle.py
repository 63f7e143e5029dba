"""Bundles: what was deployed, unpacked once, read-only, under the digest of all that it is made of.

    <digest>/...             the app folder as it was uploaded
    <digest>/packages/...    the packages that it asked for, where it asked for any

The digest of an app without packages is the SHA-256 of its archive; with packages their hashes go
into it, so that one digest never names two contents.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from sallyport.runtime import archive
from sallyport.runtime.archive import Bounds, unpack_file, verified_files
from sallyport.runtime.wheels import PACKAGES, Wheel, unpack_wheels

LARGEST: Final = 25 * 1024 * 1024
MOST_FILES: Final = 5_000
APP: Final = Bounds(LARGEST, MOST_FILES)

_COMPILE: Final = Path(__file__).parent / "python" / "compile.py"
_COMPILE_S: Final = 60
_COMPILE_MEMORY: Final = 1024 * 1024 * 1024
_DIGEST_LENGTH = 64
# A bundle is stored before its version has a row; and a crash may leave a folder half unpacked.
_GRACE_S: Final = 3_600.0
# Storing what is there already and removing it must not pass each other.
_changing = threading.Lock()


def bundle_path(directory: Path, digest: str) -> Path:
    """Where the bundle of this digest lies, or would lie."""
    return directory / digest


def store_bundle(directory: Path, data: bytes, wheels: Sequence[Wheel] = ()) -> str:
    """Verify a zip archive of an app folder, unpack it under `directory`, return its digest.

    The digest is SHA-256 in hex. When this returns, the bundle is whole and durable; a crash leaves
    either all of it or none. Storing the same archive again changes nothing. Blocks on the disk:
    call it from a thread. Raises `Refused` (`bundle_invalid`) for an archive that is too large, is
    broken, or holds anything but plain files under plain relative names, and
    (`dependencies_invalid`) for wheels that `unpack_wheels` does not take.
    """
    opened = open_archive(data)
    digest = _digest(data, wheels)
    target = bundle_path(directory, digest)
    if _keep(target):
        return digest
    directory.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{digest[:16]}-", dir=directory))
    try:
        with opened:
            for info, name in verified_files(opened.infolist(), APP):
                if wheels and name.parts[0] == PACKAGES:
                    raise APP.refused(
                        f"The app has a folder {PACKAGES!r}, where the packages that it asks for "
                        "would go.",
                        "Rename the folder.",
                    )
                unpack_file(opened, info, folder / name, APP)
        if wheels:
            unpack_wheels(wheels, folder / PACKAGES)
        _compile([path for path in (folder / "src", folder / PACKAGES) if path.is_dir()])
        _seal(folder)
        try:
            folder.rename(target)
        except OSError:
            # Another deploy of the same archive was first.
            if not _keep(target):
                raise
        _sync(directory)
    finally:
        if folder.exists():
            _remove(folder)
    return digest


def open_archive(data: bytes) -> zipfile.ZipFile:
    """Open the untrusted archive of an app folder in bounded memory; nothing is verified yet.

    Raises `Refused` (`bundle_invalid`).
    """
    return archive.open_archive(data, APP)


def removable_bundles(directory: Path, needed: Iterable[str]) -> list[Path]:
    """What lies under `directory`, is none of the `needed` digests, and has lain for an hour.

    The hour is for deployments whose version has no row yet.
    """
    kept = frozenset(needed)
    before = time.time() - _GRACE_S
    found = []
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(directory):
            # Folders in the making begin with a dot; one that is old belongs to no deployment.
            ours = len(entry.name) == _DIGEST_LENGTH or entry.name.startswith(".")
            if ours and entry.name not in kept and _changed_at(Path(entry.path)) < before:
                found.append(Path(entry.path))
    return found


def remove_bundle(path: Path) -> bool:
    """Remove what `removable_bundles` named, unless a deployment has taken it up since."""
    gone = path.with_name(f".gone-{path.name.removeprefix('.gone-')}")
    with _changing:
        if _changed_at(path) >= time.time() - _GRACE_S:
            return False
        with contextlib.suppress(OSError):
            path.rename(gone)
    _remove(gone)
    return not gone.exists()


def _keep(target: Path) -> bool:
    """Whether the bundle is there; if so it counts as new, so that nobody removes it now."""
    with _changing:
        try:
            os.utime(target)
        except FileNotFoundError:
            return False
    return True


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _digest(data: bytes, wheels: Sequence[Wheel]) -> str:
    own = hashlib.sha256(data).hexdigest()
    if not wheels:
        return own
    parts = [own, *sorted(f"{wheel.sha256} {wheel.file}" for wheel in wheels)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _compile(folders: list[Path]) -> None:
    """Keep compiled code beside the source; within bounds, and if not, then not."""
    if not any(next(folder.rglob("*.py"), None) for folder in folders):
        return
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        subprocess.run(
            [
                *(sys.executable, "-I", "-S", str(_COMPILE)),
                *(str(_COMPILE_S), str(_COMPILE_MEMORY)),
                *map(str, folders),
            ],
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=2 * _COMPILE_S,
        )


def _seal(folder: Path) -> None:
    """Make every folder of the bundle durable and read-only, the innermost first."""
    for path, _, files in os.walk(folder, topdown=False):
        for name in files:
            if name.endswith(".pyc"):
                os.chmod(os.path.join(path, name), 0o444)
        _sync(Path(path))
        os.chmod(path, 0o555)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    for path, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
