"""Nonces for DPoP proofs: the same wherever the key is, for two minutes, and nowhere else."""

from __future__ import annotations

import pytest

from sallyport.store.seal import Sealer
from sallyport.tokens.nonce import MINUTE, PURPOSE, Nonces

NOW = 1_800_000_000_000
KEY = Sealer(bytes(range(32))).derive(PURPOSE)


def test_who_has_the_key_knows_the_nonce() -> None:
    one, other = Nonces(KEY), Nonces(KEY)
    assert one.current(NOW) == other.current(NOW)
    assert Nonces(bytes(32)).current(NOW) != one.current(NOW)
    assert Sealer(bytes(range(32))).derive(PURPOSE) == KEY
    assert Sealer(bytes(range(32))).derive("another purpose") != KEY
    assert bytes(range(32)) != KEY


def test_it_is_taken_for_this_minute_and_the_next() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.current(NOW)
    for now in (NOW - MINUTE, NOW, NOW + MINUTE - 1, NOW + MINUTE):
        assert nonce in nonces.accepted(now)
    for now in (NOW - 2 * MINUTE, NOW + 2 * MINUTE, NOW + 100 * MINUTE, 0):
        assert nonce not in nonces.accepted(now)
    assert len(nonces.accepted(NOW)) == 3
    assert nonces.current(NOW + MINUTE) != nonce


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Nonces(b"short")
