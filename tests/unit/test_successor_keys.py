"""The key that a refresh token gives, against another hand's HKDF.

Planted bugs that this was seen to fail on: the token as HKDF's salt; a block numbered from 0.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sallyport.store.seal import KEY_BYTES, Sealer
from sallyport.tokens.refresh import _sealer_of

TOKEN = "sprt_" + "a" * 43 + "_000000"
PURPOSE = "refresh-token successor"


def test_a_successor_is_sealed_under_a_key_of_hkdf() -> None:
    derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=PURPOSE.encode())
    sealed = Sealer(derived.derive(TOKEN.encode())).seal(b"next", PURPOSE)
    assert _sealer_of(TOKEN).open(sealed, PURPOSE) == b"next"
