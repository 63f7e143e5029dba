"""npm packages for tests, installed once for each lock file into the project's cache."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "node"


def installed(locked: Path) -> Path:
    """A folder with the packages of `locked`'s package-lock.json in `node_modules`.

    Skips the test where the machine has no npm.
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"There is no npm on this machine to install {locked.name} with.")
    lock = (locked / "package-lock.json").read_bytes()
    folder = CACHE / hashlib.sha256(lock).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(locked / name, folder / name)
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110)
            assert done.returncode == 0, f"npm ci failed:\n{done.stderr}"
            (folder / "ready").touch()
    return folder
