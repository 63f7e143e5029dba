"""Command groups that know their commands by name and load a command only when it is run.

Keeps `sallyport --help` quick: no HTTP client, YAML reader or table library is imported for it.
"""

from __future__ import annotations

import errno
import importlib
from dataclasses import dataclass
from typing import Any

import click

from sallyport.cli.failures import Failed

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: its name, where it is (`module:attribute`), and its help in one line."""

    name: str
    target: str
    help: str


@dataclass(frozen=True, slots=True)
class Section:
    """Commands that belong together, under one heading of the help."""

    title: str
    entries: tuple[Entry, ...]


class Verb(click.Command):
    """A command; like every command it takes `-h` and `--verbose`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings = {**HELP_NAMES, **self.context_settings}
        self.params.append(verbose_option())


class Noun(click.Group):
    """A group of verbs, each of which takes `-h` and `--verbose`."""

    command_class = Verb
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings = {**HELP_NAMES, **self.context_settings}
        self.params.append(verbose_option())


class LazyNoun(Noun):
    """A group whose commands are listed in `sections` and imported on demand."""

    def __init__(self, *args: Any, sections: tuple[Section, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self._entries = {entry.name: entry for section in sections for entry in section.entries}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._entries and not args[0].startswith("-"):
            raise click.NoSuchCommand(args[0], possibilities=self._entries, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self._entries)
        for section in self.sections:
            with formatter.section(section.title):
                formatter.write_dl(
                    [(f"{entry.name:<{width}}", entry.help) for entry in section.entries]
                )

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno == errno.EPIPE or error.filename is None:
                raise
            detail = f"{error.filename}: {error.strerror}."
            raise Failed(detail, fix="Check the path and who may read and write it.") from error


def verbose_option() -> click.Option:
    return click.Option(
        ["--verbose"],
        is_flag=True,
        expose_value=False,
        callback=_remember_verbose,
        help="Show each request to the platform.",
    )


def _remember_verbose(ctx: click.Context, _: click.Parameter, given: bool) -> None:
    if given:
        ctx.find_root().meta["sallyport.verbose"] = True
