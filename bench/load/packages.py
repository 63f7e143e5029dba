"""npm packages of contenders, installed once for each lock file into the cache of this checkout."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "bench"


class NoPackages(Exception):
    """They could not be installed; the text says why."""


def install_packages(folder: Path) -> Path:
    """A folder with everything of `folder` and `node_modules`. Raises `NoPackages`."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NoPackages("there is no Node with npm on PATH")
    lock = (folder / "package-lock.json").read_bytes()
    made = CACHE / f"{folder.name}-{hashlib.sha256(lock).hexdigest()[:16]}"
    made.mkdir(parents=True, exist_ok=True)
    for each in folder.iterdir():
        shutil.copyfile(each, made / each.name)
    if not (made / "ready").exists():
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(command, cwd=made, check=True, capture_output=True, timeout=300)
        except (subprocess.SubprocessError, OSError) as error:
            raise NoPackages(f"npm ci failed: {error}") from None
        (made / "ready").touch()
    return made
