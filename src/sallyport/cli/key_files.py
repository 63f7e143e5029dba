"""Keys of clients as files: a JWK Set to be sent, names of keys to be shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from sallyport.cli.failures import USAGE, Failed

_F = TypeVar("_F", bound=Callable[..., Any])


def _read(_ctx: click.Context, _param: click.Parameter, given: Path | None) -> Any:
    if given is None:
        return None
    try:
        document = json.loads(given.read_bytes())
    except (OSError, ValueError) as error:
        raise Failed(f"{given} cannot be read as JSON: {error}", exit_code=USAGE) from None
    return (
        {"keys": document["keys"]}
        if isinstance(document, dict) and "keys" in document
        else {"keys": [document]}
    )


def jwks_option(function: _F) -> _F:
    """`--jwks FILE`: a JWK Set, or one public key."""
    return click.option(
        "--jwks",
        metavar="FILE",
        type=click.Path(path_type=Path),
        callback=_read,
        help="Public keys by which it signs in (private_key_jwt), as a JWK Set; no secret then.",
    )(function)


def require_one(jwks: object, no_keys: bool) -> None:
    """Either keys or none of them. Raises `Failed`."""
    if (jwks is None) is not no_keys:
        raise Failed("Give --jwks FILE, or --none to take the keys away.", exit_code=USAGE)


def names_of_keys(client: dict[str, Any]) -> str:
    """`key-1 (ES256), key-2 (EdDSA)`."""
    return ", ".join(f"{each['kid'] or 'one key'} ({each['alg']})" for each in client["keys"])
