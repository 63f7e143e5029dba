"""Packing: an app folder as the archive that a deploy uploads."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sallyport.vocab.errors import Reason, Refused

LARGEST: Final = 25 * 1024 * 1024
MOST_FILES: Final = 5_000
LEFT_OUT: Final = frozenset({"__pycache__", "node_modules"})

_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, built: Mapping[str, bytes] = {}) -> bytes:
    """The files of `folder` as a zip archive; the same files give the same bytes.

    `built` goes in too, by name, in place of what the folder has under that name. Names that begin
    with a dot, `__pycache__` and `node_modules` are left out, so that no `.env` or `.git` is
    uploaded by mistake. Raises `Refused` (`bundle_invalid`) for a link or a special file, for more
    than 5,000 files and for more than 25 MB.
    """
    buffer = io.BytesIO()
    total = 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for count, name in enumerate(sorted({*_files(folder), *built}), start=1):
            if count > MOST_FILES:
                raise _refused(f"The app has more than {MOST_FILES:,} files.")
            made = built.get(name)
            total += (folder / name).stat().st_size if made is None else len(made)
            if total > LARGEST:
                raise _refused("The app's files are larger than 25 MB.")
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, (folder / name).read_bytes() if made is None else made)
    return buffer.getvalue()


def _files(folder: Path) -> Iterator[str]:
    """The names of the files to be packed, relative to `folder`, with forward slashes."""
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_left_out(name)]
        for name in [*folders, *files]:
            if _is_left_out(name):
                continue
            full = Path(path) / name
            mode = full.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise _refused(
                    f"{full.relative_to(folder).as_posix()} is a link or a special file.",
                    "Put the file itself in its place.",
                )
            if stat.S_ISREG(mode):
                yield full.relative_to(folder).as_posix()


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name in LEFT_OUT


def _refused(detail: str, fix: str = "Leave large files out of the app's folder.") -> Refused:
    return Refused(Reason.BUNDLE_INVALID, detail, fix=fix)
