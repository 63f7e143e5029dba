"""The host's Node: found once, and whether it can run what a manifest asks for."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OLDEST_MAJOR: Final = 20
_WAIT_S: Final = 10
_VERSION = re.compile(r"v(\d{1,4})\.\d{1,4}\.\d{1,4}")
_RUNTIME = re.compile(r"nodejs(\d{1,4})\.x")


@dataclass(frozen=True, slots=True)
class NodeProgram:
    """A Node on this host: its real path, and its version as it tells it: `20.20.2`."""

    path: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def runs(self, runtime: str) -> bool:
        """Whether it is as new as the runtime that a manifest names, such as `nodejs22.x`."""
        asked = _RUNTIME.fullmatch(runtime)
        return asked is not None and self.major >= int(asked[1])


class NoNode(Exception):
    """There is no Node that can be used; the text says why and what to do."""


def find_node(given: str) -> NodeProgram:
    """The Node at `given`, or the first on PATH where nothing is given. Raises `NoNode`.

    Runs it once, for its version.
    """
    found = shutil.which(given or "node")
    if found is None:
        where = f"at {given}" if given else "on PATH"
        raise NoNode(f"There is no node {where}. Install Node {OLDEST_MAJOR} or later.")
    path = Path(found).resolve()
    try:
        told = subprocess.run(
            [path, "--version"], capture_output=True, timeout=_WAIT_S, check=True, env={}
        ).stdout.decode("ascii", "replace")
    except (OSError, subprocess.SubprocessError) as error:
        raise NoNode(f"{path} does not run: {error}.") from None
    version = _VERSION.fullmatch(told.strip())
    if version is None:
        raise NoNode(f"{path} does not say that it is Node.")
    program = NodeProgram(path, version[0].removeprefix("v"))
    if program.major < OLDEST_MAJOR:
        raise NoNode(f"{path} is Node {program.version}. Install Node {OLDEST_MAJOR} or later.")
    return program
