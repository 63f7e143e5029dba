"""Passwords from standard input: never from the command line, where others can see them."""

from __future__ import annotations

import sys

import click

from sallyport.cli.failures import USAGE, Failed

password_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


def stdin_password(*, wanted: bool) -> str | None:
    """The first line of standard input where it is `wanted`. Raises `Failed` where it is empty."""
    if not wanted:
        return None
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Failed("Standard input holds no password.", exit_code=USAGE)
    return password
