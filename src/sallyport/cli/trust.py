"""What is said at every start of the driver that runs app code, where it is not the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sallyport.cli.terminal import note

if TYPE_CHECKING:
    from sallyport.app import Platform


def tell_of_trust(platform: Platform) -> None:
    """Say on standard error what app code can do here that it should not."""
    trust = platform.trust
    if trust.fit:
        return
    if trust.problem:
        note("Calls to apps are refused: this host has no sandbox to run their code in.")
        note(f"  {trust.problem}.")
        note("`sallyport doctor` says more. For code that you trust: --runtime-driver plain.")
        return
    note("App code runs WITHOUT a sandbox. Run only apps whose developers you trust.")
    note("Nothing here ensures that:")
    for guarantee in trust.missing:
        note(f"  {guarantee}")
