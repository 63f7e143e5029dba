"""Resolving: from the packages that an app asks for to wheels on the disk, by pip, at a deploy.

pip runs for the Python that runs the app, as a process of its own with an empty environment, bounds
on time and size, and no right to start a program (`python/resolve.py`). Wheels only.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sallyport.runtime.logs import visible
from sallyport.runtime.wheels import LARGEST_DOWNLOAD, MEGABYTE, Wheel, read_wheel
from sallyport.vocab.errors import Reason, Refused

SCRIPT: Final = Path(__file__).parent / "python" / "resolve.py"
NOWHERE: Final = "none"

_AT_ONCE: Final = 2
_LOOK_EVERY_S: Final = 0.1
# What pip unpacks and keeps on the way, on top of the wheels themselves.
_ROOM: Final = 2 * LARGEST_DOWNLOAD
_LONGEST_OUTPUT: Final = 64 * 1024
_OPERATORS_OWN: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_CERT")
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_PROXY", "PIP_CLIENT_CERT")

_NO_MATCH = re.compile(r"^ERROR: No matching distribution found for (.+)$", re.MULTILINE)
_ON_THE_WAY = re.compile(r" \(from (?:versions|-r|[^()]*requirements\.txt)[^()]*(?:\([^)]*\))?\)")
_UNREACHABLE = re.compile(
    r"connection broken by|Could not fetch URL|Failed to establish a new connection|"
    r"Network is unreachable|Temporary failure in name resolution|ReadTimeout|Max retries"
)
_PINNED_OTHERWISE = re.compile(r"^ {4}(\S.*?) from .*:$", re.MULTILINE)


class Resolver:
    """Fetches wheels from one index.

    `index` is the operator's setting: the URL of a package index (PEP 503), `none` for no packages
    at all, or empty for what pip is configured to use on this host. `seconds` bounds one resolve.
    """

    def __init__(self, index: str = "", *, seconds: int = 120) -> None:
        self._index = index
        self._seconds = seconds
        self._turns = asyncio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def wheels(self, requirements: Sequence[str]) -> AsyncIterator[tuple[Wheel, ...]]:
        """The wheels that these requirements come to, for as long as the context is open.

        Each requirement is one that `manifest.requirements` has read. Raises `Refused`:
        `dependencies_unresolved`, `dependencies_invalid` or `package_index_unreachable`.
        """
        if not requirements:
            yield ()
            return
        if self._index == NOWHERE:
            raise Refused(
                Reason.DEPENDENCIES_INVALID,
                "This platform fetches no packages (SALLYPORT_PACKAGE_INDEX is none).",
                fix="Put packages of pure Python into src/ (`pip install --target src ...`).",
            )
        async with self._turns:
            with tempfile.TemporaryDirectory(prefix="sallyport-resolve-") as made:
                yield await asyncio.to_thread(self._fetch, requirements, Path(made))

    def _fetch(self, requirements: Sequence[str], folder: Path) -> tuple[Wheel, ...]:
        wheels = folder / "wheels"
        wheels.mkdir()
        (folder / "requirements.txt").write_text("\n".join(requirements) + "\n")
        output = self._run(folder)
        if output is not None:
            raise _explained(output)
        return tuple(read_wheel(path) for path in sorted(wheels.iterdir()))

    def _run(self, folder: Path) -> str | None:
        """Run pip; None where all went well, else what it said. Raises `Refused` past a bound."""
        said = folder / "output"
        until = time.monotonic() + self._seconds
        with said.open("wb") as file:
            process = subprocess.Popen(
                [
                    *(
                        sys.executable,
                        "-I",
                        str(SCRIPT),
                        str(LARGEST_DOWNLOAD),
                        str(self._seconds + 1),
                    ),
                    *("download", "--dest", "wheels", "--requirement", "requirements.txt"),
                    *("--only-binary", ":all:", "--no-cache-dir", "--no-input", "--no-color"),
                    *("--progress-bar", "off", "--disable-pip-version-check"),
                    *("--retries", "1", "--timeout", "15"),
                ],
                cwd=folder,
                env=self._environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        try:
            while True:
                try:
                    code = process.wait(_LOOK_EVERY_S)
                    break
                except subprocess.TimeoutExpired:
                    _require_room(folder)
                    if time.monotonic() > until:
                        raise _unresolved(
                            f"Resolving the app's packages took longer than {self._seconds} s."
                        ) from None
        finally:
            process.kill()
            process.wait()
        _require_room(folder)
        if code == 0:
            return None
        with said.open("rb") as file:
            return file.read(_LONGEST_OUTPUT).decode("utf-8", "replace")

    def _environment(self, folder: Path) -> dict[str, str]:
        kept = {*_OPERATORS_OWN, *_PROXIES, *(name.lower() for name in _PROXIES)}
        found = {name: value for name, value in os.environ.items() if name in kept}
        own: Mapping[str, str] = {"HOME": str(folder), "TMPDIR": str(folder), "PATH": os.defpath}
        if self._index:
            return {
                **found,
                **own,
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_INDEX_URL": self._index,
                "LANG": "C.UTF-8",
            }
        configured = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        return {**found, **configured, **own, "LANG": "C.UTF-8"}


def _require_room(folder: Path) -> None:
    size = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                size += os.lstat(os.path.join(path, name)).st_size
            except FileNotFoundError:
                continue
    if size > _ROOM:
        raise Refused(
            Reason.DEPENDENCIES_INVALID,
            f"The app's packages are larger than {LARGEST_DOWNLOAD // MEGABYTE} MB to download.",
            fix="Ask for fewer or smaller packages.",
        )


def _explained(output: str) -> Refused:
    """What pip said as a refusal that names the requirement."""
    if "No module named pip" in output:
        return Refused(
            Reason.PACKAGE_INDEX_UNREACHABLE,
            "The Python that runs this platform has no pip, so no packages can be fetched.",
            fix="The operator adds it: `python -m ensurepip` in the platform's environment.",
        )
    unmatched = _NO_MATCH.search(output)
    wanted = _ON_THE_WAY.sub("", unmatched[1]).strip() if unmatched else ""
    named = f"'{visible(wanted[:200])}'" if wanted else "the app's packages"
    if _UNREACHABLE.search(output):
        return Refused(
            Reason.PACKAGE_INDEX_UNREACHABLE,
            f"The package index does not answer, so {named} could not be resolved.",
            fix="Try again; the operator sets the index with SALLYPORT_PACKAGE_INDEX.",
            operator=visible(output[-2_000:]),
        )
    if "DO NOT MATCH THE HASHES" in output:
        pinned = _PINNED_OTHERWISE.search(output)
        which = f"'{visible(pinned[1][:200])}'" if pinned else "a package"
        return _unresolved(
            f"The hash given for {which} is not that of what the index serves.",
            "Check the --hash options against a lock that you trust.",
        )
    if unmatched is not None:
        return _unresolved(
            f"The index has no wheel of {named} for Python {platform.python_version()} on "
            f"{platform.system()} {platform.machine()}.",
            "Check name and version. Packages that come as source only are not built here.",
        )
    if "ResolutionImpossible" in output:
        return _unresolved(_conflict(output), "Loosen one of the versions.")
    last = [line for line in output.splitlines() if line.startswith("ERROR:")]
    text = visible(last[-1].removeprefix("ERROR:").strip()[:300]) if last else "pip failed"
    return _unresolved(f"The app's packages could not be resolved: {text}.")


def _conflict(output: str) -> str:
    _, _, rest = output.partition("The conflict is caused by:")
    lines = [line.strip() for line in rest.splitlines() if line.startswith("    ")]
    return visible(f"The versions contradict each other: {'; '.join(lines)[:400]}.")


def _unresolved(detail: str, fix: str = "Mend requirements.txt and deploy again.") -> Refused:
    return Refused(Reason.DEPENDENCIES_UNRESOLVED, detail, fix=fix)
