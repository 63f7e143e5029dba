"""Passwords of people: argon2id (RFC 9106), on a few threads of their own."""

from __future__ import annotations

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sallyport.vocab.errors import Reason, Refused

SHORTEST = 12
LONGEST = 1024

# One hash takes 64 MiB for a tenth of a second: the threads bound memory, callers wait in line.
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
_hasher = PasswordHasher()


def check_password(password: str) -> str:
    """The password in NFC, so that it matches from every keyboard. Raises `Refused`."""
    password = unicodedata.normalize("NFC", password)
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(
            Reason.INVALID_INPUT,
            f"A password has {SHORTEST} to {LONGEST} characters.",
            fix="Choose a longer password; several words make a good one."
            if len(password) < SHORTEST
            else f"Choose a password of at most {LONGEST} characters.",
        )
    return password


async def hash_password(password: str) -> str:
    """The password's argon2id hash, salt and parameters included. Raises `Refused`."""
    checked = check_password(password)
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, checked)


async def is_password(stored: str | None, password: str) -> bool:
    """Whether `password` is the one behind `stored`.

    Without a stored hash a dummy is checked, so that the time tells nothing of who exists.
    """
    if len(password) > LONGEST:
        return False
    plain = unicodedata.normalize("NFC", password)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, _matches, stored, plain)


def _matches(stored: str | None, plain: str) -> bool:
    try:
        right = _hasher.verify(stored or _dummy(), plain)
    except (VerificationError, InvalidHashError):
        return False
    return right and stored is not None


@cache
def _dummy() -> str:
    return _hasher.hash("nobody has this password")
