"""Write docs/reference/cli.md from what `--help` says.

`python scripts/cli_reference.py` writes it; a test compares what it would write with what is there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from sallyport.cli.credentials import API_TOKEN, EMAIL, URL
from sallyport.cli.failures import EXIT_CODES
from sallyport.cli.main import SECTIONS, cli

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "cli.md"

HEAD = f"""\
# The command line

`sallyport` is a thin client of the control API: what it does, a script can do over HTTP too.

**Signing in.** `sallyport login` asks for the platform's address, your email and your password, has
an API token made and stores that in `$XDG_CONFIG_HOME/sallyport/credentials.json` (by default under
`~/.config`), readable by you alone. A stored token is sent to the platform that made it and to no
other. Scripts and CI set variables instead, which win over what is stored:

| variable | what it is |
| --- | --- |
| `{URL}` | the platform's address |
| `{EMAIL[0]}` | your email; `{EMAIL[1]}` is read where it is not set |
| `{API_TOKEN[0]}` | an API token; `{API_TOKEN[1]}` is read where it is not set |

**Which app.** Commands about an app read `app.id` from `manifest.yml` in the current folder, or
take `--app`. The environment is development where `-e` does not say otherwise; `default` is another
word for it.

**Output.** Lists are tables; `--json` prints what the control API sent. The answer is on standard
output, hints and errors are on standard error. Colour is used on a terminal only and never with
`NO_COLOR`. Control characters in names and log lines are shown as escapes.

**Questions.** Where a person is at the terminal, what is missing is asked for and what cannot be
undone is confirmed (`--yes` does not ask). Elsewhere nothing is asked: what is missing is an error.

**Exit codes.**

| code | meaning |
| --- | --- |
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [HEAD + "".join(f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES)]
    root = click.Context(cli, info_name="sallyport", max_content_width=100)
    for section in SECTIONS:
        parts.append(f"\n## {section.title}\n")
        for entry in section.entries:
            command = cli.get_command(root, entry.name)
            assert command is not None
            parts += commands(command, entry.name, root)
    return "".join(parts)


def commands(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    """The help of a command and of all below it."""
    context = click.Context(
        command, info_name=name, parent=parent, terminal_width=100, **command.context_settings
    )
    yield f"\n### {context.command_path}\n\n```\n{command.get_help(context).rstrip()}\n```\n"
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            inner = command.get_command(context, each)
            assert inner is not None
            yield from commands(inner, each, context)


def main() -> None:
    PAGE.write_text(page())
    sys.stdout.write("wrote docs/reference/cli.md\n")


if __name__ == "__main__":
    main()
