"""A package index on the disk (PEP 503), and wheels made by hand."""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path


class PackageIndex:
    """An index that resolvers reach by a file URL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def add(
        self,
        name: str,
        version: str = "1.0",
        files: Mapping[str, bytes | str] | None = None,
        *,
        requires: tuple[str, ...] = (),
        tag: str = "py3-none-any",
        links: Mapping[str, str] | None = None,
    ) -> str:
        """Publish a wheel and return its SHA-256; without files it holds one module of its name."""
        data = wheel(name, version, files, requires=requires, links=links)
        return self.put(name, f"{name}-{version}-{tag}.whl", data)

    def put(self, name: str, file: str, data: bytes) -> str:
        """Publish a file of any sort."""
        folder = self.folder / name.replace("_", "-").lower()
        folder.mkdir(exist_ok=True)
        (folder / file).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        with (folder / "index.html").open("a") as page:
            page.write(f'<a href="{file}#sha256={digest}">{file}</a>\n')
        return digest


def wheel(
    name: str,
    version: str,
    files: Mapping[str, bytes | str] | None,
    *,
    requires: tuple[str, ...] = (),
    links: Mapping[str, str] | None = None,
) -> bytes:
    """A wheel's bytes. `links` are symbolic links: name -> where they lead."""
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Dist: {each}" for each in requires]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in (files or {f"{name}.py": f"VERSION = {version!r}\n"}).items():
            archive.writestr(path, content)
        for path, target in (links or {}).items():
            link = zipfile.ZipInfo(path)
            link.create_system = 3
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, target)
        archive.writestr(f"{info}/METADATA", "\n".join(metadata) + "\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()
