"""Reading an uploaded archive: hostile ones are refused in bounded memory and time."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import pytest

from sallyport.control.deploy import MANIFEST_FILE, read_upload
from sallyport.vocab.errors import Reason, Refused

BOUND = 48 * 1024 * 1024
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_END = struct.Struct("<4s4H2LH")


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def long_directory(entries: int) -> bytes:
    """An archive that is nothing but a list of files."""
    names = [b"%x" % n for n in range(entries)]
    listed = b"".join(
        _ENTRY.pack(b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0)
        + name
        for name in names
    )
    count = min(entries, 0xFFFF)
    return listed + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(listed), 0, 0)


def refusal(archive: bytes) -> Refused:
    """The refusal of an archive, for which no more than `BOUND` bytes were taken at once."""
    tracemalloc.start()
    try:
        with pytest.raises(Refused) as refused:
            read_upload(archive, {})
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < BOUND
    return refused.value


def test_a_manifest_that_unpacks_to_far_more_is_not_unpacked() -> None:
    archive = zipped(**{MANIFEST_FILE: b"#" * (64 * 1024 * 1024)})
    found = refusal(archive)
    assert found.reason is Reason.MANIFEST_INVALID
    assert "larger than 1048576 bytes" in found.detail


def test_a_list_of_half_a_million_files_is_not_read() -> None:
    assert refusal(long_directory(500_000)).reason is Reason.BUNDLE_INVALID


def test_a_damaged_manifest_is_refused() -> None:
    archive = bytearray(zipped(**{MANIFEST_FILE: bytes(range(256)) * 40}))
    archive[60:90] = b"\xff" * 30
    assert refusal(bytes(archive)).reason is Reason.BUNDLE_INVALID


def test_an_encrypted_manifest_is_refused() -> None:
    archive = bytearray(zipped(**{MANIFEST_FILE: b"app: {}"}))
    archive[6] |= 1
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    assert refusal(bytes(archive)).reason is Reason.BUNDLE_INVALID


def test_an_archive_without_a_manifest_is_refused() -> None:
    found = refusal(zipped(**{"app/manifest.yml": b"app: {}"}))
    assert found.detail == "There is no manifest.yml at the root of the archive."
