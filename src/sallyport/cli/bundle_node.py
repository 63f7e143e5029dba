"""Building Node apps: one CommonJS file and its source map for each handler module, by esbuild."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sallyport.cli.failures import Failed
from sallyport.manifest.source import NODE_EXTENSIONS
from sallyport.model.manifest import Manifest

BUILT: Final = "dist"
_WAIT_S: Final = 120
_MOST_LINES: Final = 40


def build(folder: Path, manifest: Manifest, sources: str = "src/") -> dict[str, bytes]:
    """What goes into the archive besides the folder: `dist/index.cjs`, `dist/index.cjs.map` ...

    `sources` is where handler modules lie. Everything that one imports is bundled into it. Nothing
    is written to the folder. Raises `Failed`, with what esbuild says.
    """
    folder = folder.resolve()
    modules = sorted({function.module for function in manifest.functions})
    entries = [_entry(folder, sources + module) for module in modules]
    esbuild = find_esbuild(folder)
    with tempfile.TemporaryDirectory(prefix="sallyport-build-") as made:
        output = Path(made).resolve() / BUILT
        command = [
            esbuild,
            *entries,
            "--bundle",
            "--platform=node",
            "--format=cjs",
            f"--target={manifest.runtime.name.removesuffix('.x').replace('nodejs', 'node')}",
            "--sourcemap=external",
            "--sources-content=false",
            f"--outbase={sources}",
            f"--outdir={output}",
            "--out-extension:.js=.cjs",
            "--log-level=warning",
            "--color=false",
        ]
        _run(command, folder)
        found: dict[str, bytes] = {}
        for module in modules:
            code = output / f"{module}.cjs"
            map = output / f"{module}.cjs.map"
            found[f"{BUILT}/{module}.cjs"] = code.read_bytes()
            found[f"{BUILT}/{module}.cjs.map"] = _relative_to(folder, output, map)
    return found


def find_esbuild(folder: Path) -> str:
    """The app's own esbuild, or the one that SALLYPORT_ESBUILD or PATH names. Raises `Failed`.

    As Node does, looks into `node_modules` of the folder and of those above it.
    """
    given = os.environ.get("SALLYPORT_ESBUILD")
    if given:
        found = shutil.which(given)
        if found is None:
            raise Failed(
                f"SALLYPORT_ESBUILD is {given}, which is no program.",
                fix="Set it to the path of esbuild, or unset it.",
            )
        return found
    for place in (folder, *folder.parents):
        own = place / "node_modules" / ".bin" / "esbuild"
        if own.exists():
            return str(own)
    found = shutil.which("esbuild")
    if found is None:
        raise Failed(
            "There is no esbuild to build the app with.",
            fix="Run `npm install --save-dev esbuild` in the app's folder, "
            "or set SALLYPORT_ESBUILD.",
        )
    return found


def _entry(folder: Path, module: str) -> str:
    for ending in NODE_EXTENSIONS:
        name = f"{module}.{ending}"
        if (folder / name).is_file():
            return name
    raise Failed(
        f"There is no {module}.({'|'.join(NODE_EXTENSIONS)}).",
        fix="Run `sallyport lint`, which says where the manifest names it.",
    )


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=_WAIT_S)
    except OSError as error:
        raise Failed(
            f"{command[0]} does not run: {error.strerror}.",
            fix="esbuild as npm installs it needs Node on PATH.",
        ) from None
    except subprocess.TimeoutExpired:
        raise Failed(f"esbuild took longer than {_WAIT_S} s.") from None
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise Failed(
            "esbuild could not build the app.",
            lines=_shown(told),
            fix=_fix(told),
        )


def _shown(told: list[str]) -> list[str]:
    if len(told) <= _MOST_LINES:
        return told
    return [*told[:_MOST_LINES], f"... and {len(told) - _MOST_LINES} lines more"]


def _fix(told: Iterable[str]) -> str:
    if any("Could not resolve" in line for line in told):
        return "Run `npm install` in the app's folder, so that what it imports is there."
    return "Mend what esbuild says."


def _relative_to(folder: Path, output: Path, map: Path) -> bytes:
    """The source map with its sources as seen from its place under `dist/` in the app's folder."""
    read = json.loads(map.read_bytes())
    seen_from = folder / BUILT / map.parent.relative_to(output)
    read["sources"] = [
        os.path.relpath(os.path.normpath(map.parent / source), seen_from)
        for source in read["sources"]
    ]
    return json.dumps(read, separators=(",", ":")).encode()
