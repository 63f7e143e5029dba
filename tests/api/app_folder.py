"""App folders as uploads, for tests that deploy."""

from __future__ import annotations

import io
import textwrap
import zipfile
from collections.abc import Mapping

READ, WRITE = "read:employee:custom", "write:employee:custom"
HANDLER = "def get_name(request):\n    return {'statusCode': 200}\n"


def manifest(app_id: str, *, scope: str = READ, extra: str = "") -> str:
    """A manifest with one route; `extra` is further top-level YAML."""
    text = f"""\
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
              scopes: [{scope}]
          function:
            - key: getName
              handler: index.get_name
        """
    return textwrap.dedent(text) + extra


def upload(manifest_text: str, files: Mapping[str, str] | None = None) -> bytes:
    """A zip archive with this manifest and, unless told otherwise, one handler.

    The same files give the same bytes.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("manifest.yml"), manifest_text)
        for name, text in (files or {"src/index.py": HANDLER}).items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()
