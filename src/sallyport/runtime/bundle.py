"""Bundles: deployed app folders, unpacked once, read-only, under the digest of their archive."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import stat
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from sallyport.vocab.errors import Reason, Refused

LARGEST: Final = 25 * 1024 * 1024
MOST_FILES: Final = 5_000
LONGEST_NAME: Final = 255
LONGEST_PATH: Final = 1_024
DEEPEST: Final = 32

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_DIRECTORY_ENTRY = b"PK\x01\x02"
_CHUNK = 256 * 1024


def bundle_path(directory: Path, digest: str) -> Path:
    """Where the bundle of this digest lies, or would lie."""
    return directory / digest


def store_bundle(directory: Path, data: bytes) -> str:
    """Verify a zip archive of an app folder, unpack it under `directory`, return its digest.

    The digest is SHA-256 in hex. When this returns, the bundle is whole and durable; a crash leaves
    either all of it or none. Storing the same archive again changes nothing. Blocks on the disk:
    call it from a thread. Raises `Refused` (`bundle_invalid`) for an archive that is too large, is
    broken, or holds anything but plain files under plain relative names.
    """
    archive = open_archive(data)
    digest = hashlib.sha256(data).hexdigest()
    target = bundle_path(directory, digest)
    if target.exists():
        return digest
    directory.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{digest[:16]}-", dir=directory))
    try:
        with archive:
            for info, name in _verified(archive.infolist()):
                _unpack(archive, info, folder / name)
        _seal(folder)
        try:
            folder.rename(target)
        except OSError:
            # Another deploy of the same archive was first.
            if not target.exists():
                raise
        _sync(directory)
    finally:
        if folder.exists():
            _remove(folder)
    return digest


def open_archive(data: bytes) -> zipfile.ZipFile:
    """Open an untrusted zip archive in bounded memory; what it holds is not verified yet.

    Raises `Refused` (`bundle_invalid`).
    """
    if len(data) > LARGEST:
        raise _refused("The archive is larger than 25 MB.", "Leave large files out of the app.")
    # Reading the directory makes an object of every entry: look at their number first. Files that
    # are archives themselves, and stored as they are, may add some.
    if data.count(_DIRECTORY_ENTRY) > 4 * MOST_FILES:
        raise _refused(f"The archive holds more than {MOST_FILES} files.")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
        raise _refused(f"The archive is not a zip file: {error}.") from None


def _verified(infos: Sequence[zipfile.ZipInfo]) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The plain files of an archive under safe names. Raises `Refused` for anything else."""
    if len(infos) > MOST_FILES:
        raise _refused(f"The archive holds {len(infos)} files; {MOST_FILES} are allowed.")
    if sum(info.file_size for info in infos) > LARGEST:
        raise _refused("The unpacked files are larger than 25 MB.")
    files: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for info in infos:
        name = _safe_name(info)
        folded = unicodedata.normalize("NFC", str(name)).casefold()
        for parent in PurePosixPath(folded).parents:
            folders.setdefault(str(parent), str(name))
        if info.is_dir():
            folders.setdefault(folded, str(name))
            continue
        if folded in seen:
            raise _refused(f"Two files have the same name: {seen[folded]!r} and {str(name)!r}.")
        seen[folded] = str(name)
        files.append((info, name))
    for folded in seen.keys() & folders.keys():
        raise _refused(f"{seen[folded]!r} is both a file and a folder.")
    return files


def _safe_name(info: zipfile.ZipInfo) -> PurePosixPath:
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    shown = repr(name[:100])
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refused(f"{shown} is a link or a device.", "Put the file itself in its place.")
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        raise _refused(f"{shown} is encrypted or packed in a way that is not supported.")
    parts = name.removesuffix("/").split("/")
    if len(name) > LONGEST_PATH or len(parts) > DEEPEST:
        raise _refused(f"The name {shown} is too long.")
    for part in parts:
        if part in ("", ".", "..") or len(part.encode(errors="replace")) > LONGEST_NAME:
            raise _refused(f"The name {shown} is not a plain relative path.")
        if any(_is_unsafe(character) for character in part):
            raise _refused(f"The name {shown} holds a character that is not allowed.")
    return PurePosixPath(*parts)


def _is_unsafe(character: str) -> bool:
    return character in '\\:*?"<>|' or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co")


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    left = info.file_size
    try:
        with archive.open(info) as source, path.open("xb") as file:
            while chunk := source.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise _refused("A file is larger than the archive says.")
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), 0o444)
            os.fsync(file.fileno())
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise _refused(f"The archive is damaged: {error}.") from None


def _seal(folder: Path) -> None:
    """Make every folder of the bundle durable and read-only, the innermost first."""
    for path, _, _ in os.walk(folder, topdown=False):
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


def _refused(detail: str, fix: str = "Deploy with `sallyport deploy`, which packs it.") -> Refused:
    return Refused(Reason.BUNDLE_INVALID, detail, fix=fix)
