"""Runs pip to fetch wheels, and nothing else: no program and no build script is ever started.

Started as `python -I resolve.py <largest file> <seconds> <pip's arguments...>` in an empty folder.
A package's metadata may ask pip for things that are built (an address of a source archive or of a
repository): all that takes a further process, which the audit hook refuses.
"""

from __future__ import annotations

import resource
import runpy
import sys
from typing import Any

_STARTS = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork"}
    | {"os.forkpty", "pty.spawn"}
)


def refuse_programs(event: str, _arguments: tuple[Any, ...]) -> None:
    """The audit hook."""
    if event in _STARTS:
        raise PermissionError("no program may be started while packages are resolved")


def main() -> None:
    largest, seconds = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.argv = ["pip", *sys.argv[3:]]
    sys.addaudithook(refuse_programs)
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
