"""On a terminal: colour, questions and confirmations; elsewhere none of them."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time

from cli_world import PASSWORD, PROGRAM, Running, Terminal, stored_credentials


def at_a_terminal(person: Terminal, *arguments: str, answers: str = "", **variables: str) -> str:
    """What a person sees who runs `sallyport` at a terminal and answers its questions."""
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [PROGRAM, *arguments],
        cwd=person.folder,
        env={**person.variables, "TERM": "xterm-256color", **variables},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    waiting = answers.splitlines(keepends=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([ours], [], [], 0.1)
        if ready:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
        if waiting and seen.rstrip(b" ").endswith((b":", b"?", b"]:")):
            os.write(ours, waiting.pop(0).encode())
            seen += b"<answered>"
    os.close(ours)
    program.wait(10)
    return seen.decode().replace("\r\n", "\n")


def test_colour_on_a_terminal_only(shell: Terminal) -> None:
    assert "\x1b[31mError:\x1b[0m" in at_a_terminal(shell, "whoami")
    assert "\x1b" not in at_a_terminal(shell, "whoami", NO_COLOR="1")
    assert "\x1b" not in at_a_terminal(shell, "whoami", TERM="dumb")
    assert "\x1b" not in shell.run("whoami", exit_code=4).stderr


def test_login_asks_for_what_is_missing(running: Running, shell: Terminal) -> None:
    email = "tess@people.example"
    running.operator.run(
        *("operator", "accounts", "create", email, "--name", "Tess", "--password-stdin"),
        stdin=f"{PASSWORD}\n",
    )
    seen = at_a_terminal(shell, "login", answers=f"{running.url}\n{email}\n{PASSWORD}\n")
    assert f"Logged in as Tess ({email})" in seen
    assert PASSWORD not in seen.replace("<answered>", "")
    assert stored_credentials(shell).exists()


def test_what_cannot_be_undone_is_confirmed(developer: Terminal) -> None:
    developer.run("environments", "create", "-e", "short-lived")
    seen = at_a_terminal(developer, "environments", "delete", "-e", "short-lived", answers="n\n")
    assert "Deletes short-lived with all" in seen
    assert "short-lived" in str(developer.json("environments", "list"))
    at_a_terminal(developer, "environments", "delete", "-e", "short-lived", answers="y\n")
    assert "short-lived" not in str(developer.json("environments", "list"))


def test_a_table_folds_to_the_terminal(developer: Terminal) -> None:
    seen = at_a_terminal(developer, "environments", "list", COLUMNS="60", NO_COLOR="1")
    assert max(len(line) for line in seen.splitlines()) <= 60
    assert "production" in seen
