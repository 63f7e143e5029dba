"""Wheels: packages as indexes serve them, unpacked beside an app by the rules of its own files.

Only what an import can find is unpacked. Scripts, headers and other data of a wheel are left out;
nothing of a wheel is run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from sallyport.runtime.archive import (
    DAMAGED,
    Bounds,
    open_archive_file,
    unpack_file,
    verified_files,
)
from sallyport.vocab.errors import Reason, Refused

PACKAGES: Final = "packages"
MEGABYTE: Final = 1024 * 1024
LARGEST_DOWNLOAD: Final = 100 * MEGABYTE
LARGEST: Final = 250 * MEGABYTE
MOST_FILES: Final = 20_000

_FILE_NAME = re.compile(
    r"(?P<name>[A-Za-z0-9._]+)-(?P<version>[A-Za-z0-9._+!]+)(-\d[^-]*)?(-[A-Za-z0-9._]+){3}\.whl",
    re.ASCII,
)
# What Python would run of its own accord at its start, if it were told to look here.
_RUN_AT_START = frozenset({"sitecustomize.py", "usercustomize.py"})
_OURS: Final = "sallyport_app"


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel on the disk; `sha256` is in hex."""

    path: Path
    name: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        return self.path.name


def read_wheel(path: Path) -> Wheel:
    """What a file that was fetched is. Raises `Refused` where it is no wheel."""
    named = _FILE_NAME.fullmatch(path.name)
    if named is None:
        raise _refused(f"{path.name[:100]!r} is not a wheel.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Wheel(path, named["name"].replace("_", "-").lower(), named["version"], digest)


def lock_of(wheels: Sequence[Wheel]) -> str:
    """What was resolved, pinned by hash, as JSON for the version's row."""
    return json.dumps(
        [
            {"name": each.name, "version": each.version, "file": each.file, "sha256": each.sha256}
            for each in sorted(wheels, key=lambda wheel: wheel.name)
        ],
        separators=(",", ":"),
    )


def read_lock(lock: str | None) -> list[dict[str, Any]]:
    """The entries of a lock; none where a version has no packages."""
    found: list[dict[str, Any]] = json.loads(lock) if lock else []
    return found


def unpack_wheels(wheels: Sequence[Wheel], folder: Path) -> None:
    """Unpack all into one folder. Raises `Refused` (`dependencies_invalid`).

    Refused: what `archive` refuses, `.pth` files, two wheels that bring different files of one
    name, and packages that together are larger than 250 MB or have more than 20,000 files.
    """
    folder.mkdir()
    left, files = LARGEST, MOST_FILES
    brought: dict[PurePosixPath, Wheel] = {}
    for wheel in sorted(wheels, key=lambda each: each.file):
        bounds = _bounds(wheel, left, files)
        with open_archive_file(wheel.path, bounds) as archive:
            for info, name in verified_files(archive.infolist(), bounds):
                place = _place(name, wheel)
                left -= info.file_size
                files -= 1
                if place is None:
                    continue
                first = brought.setdefault(place, wheel)
                if first is wheel:
                    _unpack(archive, info, folder / place, bounds, wheel)
                else:
                    _require_same(archive, info, folder / place, first, wheel)


def _place(name: PurePosixPath, wheel: Wheel) -> PurePosixPath | None:
    """Where a wheel's file goes (binary distribution format, "Installing a wheel"); None: away."""
    place = name
    if name.parts[0].endswith(".data"):
        if len(name.parts) < 3 or name.parts[1] not in ("purelib", "platlib"):
            return None
        place = PurePosixPath(*name.parts[2:])
    top = place.parts[0]
    if len(place.parts) == 1 and (top.lower().endswith(".pth") or top in _RUN_AT_START):
        raise _refused(
            f"{wheel.name} {wheel.version} brings {top!r}, which Python would run at its start.",
            "Use another version, or another package.",
        )
    if top.removesuffix(".py").lower() == _OURS:
        raise _refused(f"{wheel.name} {wheel.version} brings {_OURS!r}, which is the platform's.")
    return place


def _unpack(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, bounds: Bounds, wheel: Wheel
) -> None:
    try:
        unpack_file(archive, info, path, bounds)
    except (FileExistsError, NotADirectoryError):
        raise _refused(
            f"{wheel.name} and another package bring {info.filename[:100]!r} as file and as folder."
        ) from None


def _require_same(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, there: Path, first: Wheel, second: Wheel
) -> None:
    with contextlib.suppress(*DAMAGED):
        if there.stat().st_size == info.file_size:
            with archive.open(info) as file:
                if file.read(info.file_size + 1) == there.read_bytes():
                    return
    raise _refused(f"{first.name} and {second.name} both bring {info.filename[:100]!r}.")


def _bounds(wheel: Wheel, left: int, files: int) -> Bounds:
    return Bounds(
        left,
        files,
        Reason.DEPENDENCIES_INVALID,
        f"The package {wheel.name} {wheel.version}",
        f"All packages together may have {LARGEST // MEGABYTE} MB and {MOST_FILES:,} files.",
    )


def _refused(detail: str, fix: str = "Remove the package, or use another version.") -> Refused:
    return Refused(Reason.DEPENDENCIES_INVALID, detail, fix=fix)
