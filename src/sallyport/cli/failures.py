"""How a command fails: what is wrong, what to change, and an exit code that scripts can use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

import click

from sallyport.cli.terminal import mark, plain

REFUSED = 1
USAGE = 2
LINT_ERRORS = 3
NOT_ALLOWED = 4
UNREACHABLE = 5

EXIT_CODES = (
    (0, "done"),
    (REFUSED, "refused by the platform, or failed"),
    (USAGE, "the command line is wrong"),
    (LINT_ERRORS, "lint found errors"),
    (NOT_ALLOWED, "not signed in, or not allowed"),
    (UNREACHABLE, "the platform cannot be reached, or what answers is not Sallyport"),
)


class Failed(click.ClickException):
    """A command that was not carried out.

    `detail`: what is wrong. `fix`: a sentence that says what to change. `lines`: what belongs
    between the two, one finding a line.
    """

    def __init__(
        self,
        detail: str,
        *,
        fix: str | None = None,
        lines: Iterable[str] = (),
        exit_code: int = REFUSED,
    ) -> None:
        super().__init__(detail)
        self.fix = fix
        self.lines = tuple(lines)
        # click reads it from the instance, whatever its stub says.
        self.exit_code = exit_code  # type: ignore[misc]

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"{mark('Error:', 'red', err=True)} {plain(self.message)}", err=True)
        for line in self.lines:
            click.echo(plain(line), err=True)
        if self.fix is not None:
            click.echo(f"Fix: {plain(self.fix)}", err=True)
