"""Help: quick, complete, and the reference that is made of it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli_world import Terminal

from sallyport.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("httpx", "rich", "ruamel", "jsonschema", "sqlalchemy", "starlette", "fastapi", "uvicorn")


def commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands(cli, ()))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["no-such-command"], []])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from sallyport.cli.main import main\n"
        f"sys.argv = ['sallyport', *{arguments!r}]\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        f"print('\\n', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.rstrip().endswith("[]")


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    command = ALL[path]
    assert isinstance(command, click.Command)
    assert command.help
    for parameter in command.get_params(click.Context(command, **command.context_settings)):
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help or isinstance(parameter.type, click.Choice), parameter.name


@pytest.mark.parametrize("path", [path for path in ALL if path[-1] == "list"], ids=" ".join)
def test_every_list_can_be_json(path: tuple[str, ...]) -> None:
    command = ALL[path]
    assert isinstance(command, click.Command)
    assert "--json" in [name for parameter in command.params for name in parameter.opts]


def test_a_mistyped_command_is_a_usage_error_that_names_the_near_one(shell: Terminal) -> None:
    said = shell.refusal("deplyo", exit_code=2)
    assert "'deploy'" in said


def test_the_reference_is_current() -> None:
    script = ROOT / "scripts" / "cli_reference.py"
    spec = importlib.util.spec_from_file_location("cli_reference", script)
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    written = (ROOT / "docs" / "reference" / "cli.md").read_text()
    assert written == generator.page(), "run: .venv/bin/python scripts/cli_reference.py"
