"""Start Node in a process that has given up what app code must not have.

Run as `python -I -S launch.py <memory MB> <drop capabilities> <parent pid> <node> <argument> ...`.
The limits, the missing privileges and the death with the parent hold on in the program that takes
this process over.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

# What Node maps for itself, stacks of its threads included, on top of what the manifest grants.
_BASE_MB = 192


def main() -> None:
    memory_mb, drop, parent, *command = sys.argv[1:]
    confine = _confine()
    confine.die_with(int(parent))
    # V8 reserves far more addresses than it uses, so those are not what can be limited.
    confine.confine(int(memory_mb) + _BASE_MB, drop_capabilities=drop == "1", limit_addresses=False)
    home = os.getcwd()
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "TMPDIR": home}
    os.execve(command[0], command, environment)


def _confine() -> Any:
    path = Path(__file__).resolve().parent.parent / "python" / "confine.py"
    spec = importlib.util.spec_from_file_location("_sallyport_confine", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
