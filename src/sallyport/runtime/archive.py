"""Archives: untrusted zip files, read in bounded memory; plain files under plain names, or none."""

from __future__ import annotations

import io
import mmap
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from sallyport.vocab.errors import Reason, Refused

LONGEST_NAME: Final = 255
LONGEST_PATH: Final = 1_024
DEEPEST: Final = 32

# What reading a file of an archive raises where the archive is not what it says.
DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_DIRECTORY_ENTRY = b"PK\x01\x02"
_CHUNK = 256 * 1024
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an archive may hold, and how a refusal speaks of it."""

    largest: int
    most_files: int
    reason: Reason = Reason.BUNDLE_INVALID
    what: str = "The archive"
    fix: str = "Deploy with `sallyport deploy`, which packs it."

    def refused(self, detail: str, fix: str | None = None) -> Refused:
        if self.what not in detail and self.reason is not Reason.BUNDLE_INVALID:
            detail = f"{self.what}: {detail}"
        return Refused(self.reason, detail, fix=fix or self.fix)


File = tuple[zipfile.ZipInfo, PurePosixPath]


def open_archive(data: bytes, bounds: Bounds) -> zipfile.ZipFile:
    """Open an archive; what it holds is not verified yet. Raises `Refused`."""
    if len(data) > bounds.largest:
        raise bounds.refused(
            f"{bounds.what} is larger than {bounds.largest // _MEGABYTE} MB.",
            "Leave large files out of the app.",
        )
    _check_length(data.count(_DIRECTORY_ENTRY), bounds)
    return _opened(io.BytesIO(data), bounds)


def open_archive_file(path: Path, bounds: Bounds) -> zipfile.ZipFile:
    """As `open_archive`, for one that lies on the disk and is not taken into memory."""
    with path.open("rb") as file:
        if path.stat().st_size:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                _check_length(sum(1 for _ in re.finditer(_DIRECTORY_ENTRY, data)), bounds)
    return _opened(path, bounds)


def verified_files(infos: Sequence[zipfile.ZipInfo], bounds: Bounds) -> list[File]:
    """The plain files of an archive under safe names. Raises `Refused` for anything else."""
    if len(infos) > bounds.most_files:
        raise bounds.refused(
            f"{bounds.what} holds {len(infos)} files; {bounds.most_files} are allowed."
        )
    if sum(info.file_size for info in infos) > bounds.largest:
        raise bounds.refused(
            f"{bounds.what}'s unpacked files are larger than {bounds.largest // _MEGABYTE} MB."
        )
    files: list[File] = []
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for info in infos:
        name = _safe_name(info, bounds)
        folded = unicodedata.normalize("NFC", str(name)).casefold()
        for parent in PurePosixPath(folded).parents:
            folders.setdefault(str(parent), str(name))
        if info.is_dir():
            folders.setdefault(folded, str(name))
            continue
        if folded in seen:
            raise bounds.refused(
                f"Two files have the same name: {seen[folded]!r} and {str(name)!r}."
            )
        seen[folded] = str(name)
        files.append((info, name))
    for folded in seen.keys() & folders.keys():
        raise bounds.refused(f"{seen[folded]!r} is both a file and a folder.")
    return files


def unpack_file(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, bounds: Bounds
) -> None:
    """Write one file, durable and read-only, never more than the archive announced for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    left = info.file_size
    try:
        with archive.open(info) as source, path.open("xb") as file:
            while chunk := source.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise bounds.refused("A file is larger than the archive says.")
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), 0o444)
            os.fsync(file.fileno())
    except DAMAGED as error:
        raise bounds.refused(f"{bounds.what} is damaged: {error}.") from None


def _check_length(entries: int, bounds: Bounds) -> None:
    # Reading the directory makes an object of every entry: look at their number first. Files that
    # are archives themselves, and stored as they are, may add some.
    if entries > 4 * bounds.most_files:
        raise bounds.refused(f"{bounds.what} holds more than {bounds.most_files} files.")


def _opened(source: io.BytesIO | Path, bounds: Bounds) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
        raise bounds.refused(f"{bounds.what} is not a zip file: {error}.") from None


def _safe_name(info: zipfile.ZipInfo, bounds: Bounds) -> PurePosixPath:
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    shown = repr(name[:100])
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise bounds.refused(f"{shown} is a link or a device.", "Put the file itself in its place.")
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        raise bounds.refused(f"{shown} is encrypted or packed in a way that is not supported.")
    parts = name.removesuffix("/").split("/")
    if len(name) > LONGEST_PATH or len(parts) > DEEPEST:
        raise bounds.refused(f"The name {shown} is too long.")
    for part in parts:
        if part in ("", ".", "..") or len(part.encode(errors="replace")) > LONGEST_NAME:
            raise bounds.refused(f"The name {shown} is not a plain relative path.")
        if any(_is_unsafe(character) for character in part):
            raise bounds.refused(f"The name {shown} holds a character that is not allowed.")
    return PurePosixPath(*parts)


def _is_unsafe(character: str) -> bool:
    return character in '\\:*?"<>|' or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co")
