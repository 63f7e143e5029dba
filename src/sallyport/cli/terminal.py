"""What goes to the terminal: text made safe, marks, tables, JSON.

Names, log lines and texts come from other people. None of them may move the cursor, colour or
reorder what is shown, so everything passes `plain` or `json_text` on its way out.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

# C0, DEL, C1, soft hyphen, zero-width, bidirectional and other invisible format characters,
# line and paragraph separators, tags, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_UNSAFE_IN_JSON = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_WIDE_ENOUGH = 100_000


def plain(value: object) -> str:
    """`value` as one line of text in which nothing can act on a terminal."""
    return _UNSAFE.sub(_escaped, str(value))


def json_text(value: object) -> str:
    """`value` as indented JSON that is as safe to show as `plain`."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _UNSAFE_IN_JSON.sub(_json_escaped, text)


def coloured(*, err: bool = False) -> bool:
    """Whether colour may be used: on a terminal, and unless NO_COLOR asks otherwise."""
    stream = sys.stderr if err else sys.stdout
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def interactive() -> bool:
    """Whether a person is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def mark(text: str, colour: str, *, err: bool = False) -> str:
    """`text`, coloured where colour may be used."""
    return click.style(text, fg=colour) if coloured(err=err) else text


def say(text: str = "") -> None:
    """One line of the answer."""
    click.echo(plain(text))


def done(text: str) -> None:
    """One line that says what was done: `✔ text`."""
    click.echo(f"{mark('✔', 'green')} {plain(text)}")


def note(text: str) -> None:
    """One line beside the answer, on standard error."""
    click.echo(plain(text), err=True)


def pairs(rows: Iterable[tuple[str, object]]) -> None:
    """Names and values in two aligned columns; several values stand below each other."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        values = value if isinstance(value, (list, tuple)) else [value]
        for index, each in enumerate(values or ["none"]):
            label = name if index == 0 else ""
            click.echo(f"{label:<{width}}  {plain(_cell(each))}".rstrip())


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Aligned columns under a header with a hairline; `empty` where there is no row.

    On a terminal long cells are folded to its width; elsewhere a row is one line.
    """
    filled = [[_cell(value) for value in row] for row in rows]
    if not filled:
        say(empty)
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in filled:
        drawn.add_row(*(Text(plain(value)) for value in row))
    console = Console(
        width=None if sys.stdout.isatty() else _WIDE_ENOUGH,
        color_system="auto" if coloured() else None,
        highlight=False,
    )
    with console.capture() as captured:
        console.print(drawn)
    for line in captured.get().rstrip("\n").split("\n"):
        click.echo(line.rstrip())


def listing(
    items: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    as_json: bool,
    empty: str,
) -> None:
    """A list from the control API: its JSON as it came, or a table of `columns` (title -> key)."""
    if as_json:
        click.echo(json_text(items))
        return
    table(
        list(columns),
        [[item.get(key) for key in columns.values()] for item in items],
        empty=empty,
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_cell(each) for each in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_cell(each)}" for name, each in value.items())
    return str(value)


def _escaped(found: re.Match[str]) -> str:
    if found[0] == "\n":
        return "\\n"
    if found[0] == "\t":
        return "    "
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def _json_escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0]).strip('"') if ord(found[0]) > 0x7F else f"\\u{ord(found[0]):04x}"
