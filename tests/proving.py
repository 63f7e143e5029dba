"""A client's side of DPoP (RFC 9449): a key, and proofs that it is held. Knows nothing of ours."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

SIGNING = jws.JWSRegistry(algorithms=["ES256", "ES384", "Ed25519", "PS256", "RS256"])


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def ath(access_token: str) -> str:
    return encoded(hashlib.sha256(access_token.encode()).digest())


def signed(alg: str, head: str, body: str, key: Any) -> str:
    """These very parts, signed with `key` whatever they say."""
    algorithm: Any = SIGNING.get_alg("Ed25519" if alg == "EdDSA" else alg)
    return f"{head}.{body}.{encoded(algorithm.sign(f'{head}.{body}'.encode(), key))}"


@dataclass
class Prover:
    """One key. `now` is what its clock says, in seconds; None asks the machine's."""

    alg: str = "ES256"
    key: Any = field(default_factory=lambda: ECKey.generate_key("P-256"))
    now: float | None = None

    @property
    def jwk(self) -> dict[str, Any]:
        made: dict[str, Any] = self.key.as_dict(private=False)
        made.pop("kid", None)
        return made

    @property
    def jkt(self) -> str:
        made: str = self.key.thumbprint()
        return made

    def header(self, **changes: Any) -> dict[str, Any]:
        """The header of a proof; `...` takes a member away."""
        return _changed({"typ": "dpop+jwt", "alg": self.alg, "jwk": self.jwk}, changes)

    def claims(self, method: str, url: str, token: str | None, **changes: Any) -> dict[str, Any]:
        """The claims of a proof; `...` takes a member away."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url,
            "iat": int(time.time() if self.now is None else self.now),
        }
        if token is not None:
            claims["ath"] = ath(token)
        return _changed(claims, changes)

    def prove(
        self,
        method: str,
        url: str,
        token: str | None = None,
        *,
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A proof for one request; `header` and `claims` change what a right one holds."""
        head = json.dumps(self.header(**(header or {})))
        body = json.dumps(self.claims(method, url, token, **claims))
        return signed(self.alg, encoded(head.encode()), encoded(body.encode()), self.key)

    def headers(self, method: str, url: str, token: str, **changes: Any) -> dict[str, str]:
        """What a request with a bound token carries."""
        return {
            "Authorization": f"DPoP {token}",
            "DPoP": self.prove(method, url, token, **changes),
        }


def provers() -> list[Prover]:
    """One of each algorithm that servers commonly take."""
    return [
        Prover(),
        Prover("ES384", ECKey.generate_key("P-384")),
        Prover("Ed25519", OKPKey.generate_key("Ed25519")),
        Prover("EdDSA", OKPKey.generate_key("Ed25519")),
        Prover("PS256", RSAKey.generate_key(2048)),
    ]


def _changed(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not ...}
