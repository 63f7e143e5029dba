"""Encryption at rest for what must be read back: variables, signing keys, token successors.

AES-256-GCM with a random 96-bit nonce; the purpose is authenticated, so that a sealed value moved
to another place does not open.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12
KEY_BYTES = 32


class Unsealable(Exception):
    """A sealed value does not open: another master key, another purpose, or damage."""


class Sealer:
    """Seals and opens with one 32-byte master key."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the master key must be {KEY_BYTES} bytes, not {len(key)}")
        self._key = key
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, purpose: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, purpose.encode())

    def derive(self, purpose: str) -> bytes:
        """A key for one purpose, which tells nothing of the master key or of other purposes."""
        derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode())
        return derived.derive(self._key)

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Raises `Unsealable`."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise Unsealable(f"a sealed value for {purpose!r} does not open") from error


def master_key(path: Path) -> bytes:
    """The key in `path`, made there with mode 0600 on first use."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        key = secrets.token_bytes(KEY_BYTES)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        return key
