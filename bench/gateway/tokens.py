"""ES256 tokens of an issuer of the benchmark's own, for the contenders that are not ours."""

from __future__ import annotations

import json
import time
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey

from bench.gateway.contender import SCOPE
from sallyport.tokens.keys import SigningKey
from sallyport.vocab.ids import new_id

ISSUER = "https://issuer.bench"


class Issuer:
    """One key, and tokens as ours are: of about the same length, with the same claims."""

    def __init__(self) -> None:
        key = ECKey.generate_key("P-256")
        self._signing = SigningKey(key.thumbprint(), key)

    def token(self) -> str:
        now = int(time.time())
        return self._signing.write(
            "at+jwt",
            {
                "iss": ISSUER,
                "aud": ISSUER,
                "sub": new_id(),
                "client_id": new_id(),
                "iat": now,
                "exp": now + 24 * 3600,
                "jti": new_id(),
                "scope": f"{SCOPE} read:forge-app:jira",
                "grant": new_id(),
                "family": new_id(),
                "ns": f"{new_id()}.{new_id()}",
            },
        )

    def tokens(self, count: int) -> list[str]:
        return [self.token() for _ in range(count)]

    def public_jwk(self) -> dict[str, Any]:
        public = {**self._signing.key.as_dict(private=False), "kid": self._signing.kid}
        return {**public, "alg": "ES256", "use": "sig"}

    def public_jwks(self) -> str:
        return json.dumps({"keys": [self.public_jwk()]})

    def public_pem(self) -> str:
        text = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        return self._signing.key.public_key.public_bytes(*text).decode()
