"""Signing keys: ES256 alone, made on first start, held in an immutable ring that is swapped.

They rotate with overlap. A new key is published before it signs, so that who keeps the key set for
a while knows it in time; the key before it verifies until every token that it signed has ended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey

from sallyport.model.directory import Actor
from sallyport.store.engine import Store
from sallyport.store.keys import ensure_signing_key, live_signing_keys, rotate_signing_key
from sallyport.tokens.compact import write_octets
from sallyport.tokens.policy import TokenPolicy

ALGORITHM = "ES256"
_CURVE = "P-256"
_ES256 = ECDSA(SHA256())


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One P-256 key pair. `kid` is the key's RFC 7638 thumbprint; it signs from `signs_from` on."""

    kid: str
    key: ECKey
    signs_from: int = 0

    def write(self, kind: str, claims: dict[str, Any]) -> str:
        """A compact JWS of these claims (RFC 7515 section 7.1); `kind` is its `typ`."""
        signed = f"{_header(kind, self.kid)}.{write_octets(msgspec.json.encode(claims))}"
        return f"{signed}.{write_octets(self._signature(signed.encode()))}"

    def _signature(self, signed: bytes) -> bytes:
        """r and s, 32 bytes each (RFC 7518 section 3.4)."""
        private = self.key.private_key
        assert private is not None
        r, s = decode_dss_signature(private.sign(signed, _ES256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def public(self) -> EllipticCurvePublicKey:
        public: EllipticCurvePublicKey = self.key.public_key
        return public


@lru_cache(maxsize=64)
def _header(kind: str, kid: str) -> str:
    """The first part of every token of a kind that one key signs."""
    return write_octets(msgspec.json.encode({"alg": ALGORITHM, "typ": kind, "kid": kid}))


class KeyRing:
    """Every key that verifies; the newest of those that sign already signs. Immutable."""

    def __init__(self, keys: tuple[SigningKey, ...]) -> None:
        """`keys` in the order in which they sign, at least one."""
        if not keys:
            raise ValueError("a key ring needs at least one key")
        self._public = {each.kid: each.public() for each in keys}
        self._in_order = keys
        public = [{**_public(each), "use": "sig", "alg": ALGORITHM} for each in keys]
        self._jwks = {"keys": public}

    def signing_at(self, now: int) -> SigningKey:
        """The key that signs at this time, in milliseconds."""
        started = [each for each in self._in_order if each.signs_from <= now]
        return started[-1] if started else self._in_order[0]

    def verifies(self, kid: str, signed: bytes, signature: bytes) -> bool:
        """Whether the key of this id is here and made the signature: r and s, 32 bytes each
        (RFC 7518 section 3.4)."""
        public = self._public.get(kid)
        if public is None or len(signature) != 64:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            public.verify(encode_dss_signature(r, s), signed, _ES256)
        except InvalidSignature:
            return False
        return True

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
    await store.write(ensure_signing_key, fresh.kid, private_text(fresh))
    return Keys(await _load(store))


async def load_keys(store: Store) -> Keys:
    """The platform's keys, which another process has made."""
    return Keys(await _load(store))


def new_signing_key() -> SigningKey:
    key = ECKey.generate_key(_CURVE)
    return SigningKey(key.thumbprint(), key)


def private_text(each: SigningKey) -> bytes:
    """The key pair as JWK text, to be sealed."""
    return json.dumps(each.key.as_dict(private=True)).encode()


async def rotate(
    store: Store, policy: TokenPolicy, actor: Actor, *, at_once: bool = False
) -> SigningKey:
    """Make the next signing key; durable when it returns, used by who reloads the keys.

    It signs after `policy.key_lead`, or at once. Raises `Refused` while an earlier one waits.
    """
    now = store.clock.now()
    signs_from = now if at_once else now + policy.key_lead
    fresh = replace(new_signing_key(), signs_from=signs_from)
    await store.write(
        rotate_signing_key,
        actor,
        fresh.kid,
        private_text(fresh),
        signs_from=signs_from,
        others_end=policy.key_ends_at(signs_from),
    )
    return fresh


async def _load(store: Store) -> KeyRing:
    stored = await store.read(live_signing_keys)
    return KeyRing(
        tuple(
            SigningKey(
                each.times.kid,
                ECKey.import_key(json.loads(each.private)),
                each.times.signs_from,
            )
            for each in stored
        )
    )


def _public(each: SigningKey) -> dict[str, Any]:
    return {**each.key.as_dict(private=False), "kid": each.kid}
