"""Signing keys: ES256 alone, made on first start, held in an immutable ring that is swapped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import ECKey

from sallyport.store.engine import Store
from sallyport.store.keys import ensure_signing_key, live_signing_keys

ALGORITHM = "ES256"
_CURVE = "P-256"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One P-256 key pair. `kid` is the key's RFC 7638 thumbprint."""

    kid: str
    key: ECKey


class KeyRing:
    """Every key that verifies; the newest signs. Immutable."""

    def __init__(self, keys: tuple[SigningKey, ...]) -> None:
        """`keys` oldest first, at least one."""
        if not keys:
            raise ValueError("a key ring needs at least one key")
        self._keys = {each.kid: each.key for each in keys}
        self.signing = keys[-1]
        public = [{**_public(each), "use": "sig", "alg": ALGORITHM} for each in keys]
        self._jwks = {"keys": public}

    def get(self, kid: str) -> ECKey | None:
        """The key of this id, None where there is none: unknown or retired."""
        return self._keys.get(kid)

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517 section 5)."""
        return self._jwks


class Keys:
    """Holds the ring in use. Rings are swapped whole, so a reader never sees half of a change."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    @property
    def ring(self) -> KeyRing:
        return self._ring

    async def reload(self, store: Store) -> None:
        """Take the keys that the store holds now."""
        self._ring = await _load(store)


async def open_keys(store: Store) -> Keys:
    """The platform's keys; makes the first one on an empty store."""
    fresh = new_signing_key()
    private = json.dumps(fresh.key.as_dict(private=True)).encode()
    await store.write(ensure_signing_key, fresh.kid, private)
    return Keys(await _load(store))


def new_signing_key() -> SigningKey:
    key = ECKey.generate_key(_CURVE)
    return SigningKey(key.thumbprint(), key)


async def _load(store: Store) -> KeyRing:
    stored = await store.read(live_signing_keys)
    return KeyRing(
        tuple(SigningKey(each.kid, ECKey.import_key(json.loads(each.private))) for each in stored)
    )


def _public(each: SigningKey) -> dict[str, Any]:
    return {**each.key.as_dict(private=False), "kid": each.kid}
