"""Whether this host can run what is deployed: Node apps need a Node, and come built."""

from __future__ import annotations

from sallyport.model.manifest import Manifest
from sallyport.runtime.bundle import open_archive
from sallyport.runtime.node_program import NodeProgram
from sallyport.vocab.errors import Reason, Refused


def require_runnable(manifest: Manifest, archive: bytes, node: NodeProgram | None) -> None:
    """Raise `Refused` (`runtime_unavailable`, `bundle_invalid`) for an app that cannot be run."""
    runtime = manifest.runtime
    if runtime.is_python:
        return
    if node is None:
        raise Refused(
            Reason.RUNTIME_UNAVAILABLE,
            f"The app asks for {runtime.name}, and this platform has no Node.",
            fix="The operator installs Node on the platform's host, or sets SALLYPORT_NODE.",
        )
    if not node.runs(runtime.name):
        raise Refused(
            Reason.RUNTIME_UNAVAILABLE,
            f"The app asks for {runtime.name}, and this platform has Node {node.version}.",
            fix="Name an older runtime in the manifest, or have the operator install a newer Node.",
        )
    with open_archive(archive) as opened:
        names = frozenset(opened.namelist())
    for function in manifest.functions:
        if f"dist/{function.module}.cjs" not in names:
            raise Refused(
                Reason.BUNDLE_INVALID,
                f"dist/{function.module}.cjs is missing: a Node app is uploaded built.",
                fix="Deploy with `sallyport deploy`, which builds it with esbuild.",
            )
