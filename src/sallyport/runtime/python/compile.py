"""Compiles the Python files of a bundle, so that a worker need not; no line of them is run.

Started as `python -I -S compile.py <seconds> <memory in bytes> <folder>...`. A file that cannot be
compiled is left as it is: its import says what is wrong. What it writes is good without a look at
the source, which never changes; what the upload may have brought in its place is overwritten.
"""

from __future__ import annotations

import compileall
import py_compile
import resource
import sys
import warnings


def main() -> None:
    seconds, memory = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The developer sees them when the module is imported.
    warnings.simplefilter("ignore")
    for folder in sys.argv[3:]:
        compileall.compile_dir(
            folder,
            maxlevels=32,
            quiet=2,
            force=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    main()
