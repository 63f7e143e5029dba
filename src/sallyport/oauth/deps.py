"""What the endpoints work with; made once by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sallyport.model.directory import Site
from sallyport.oauth.limits import RequestLimits
from sallyport.oauth.pages import Pages
from sallyport.oauth.recognized import Recognized
from sallyport.store.engine import Store
from sallyport.tokens.keys import Keys
from sallyport.tokens.nonce import Nonces
from sallyport.tokens.policy import TokenPolicy

FORGE_AUDIENCE = "api.atlassian.com"
"""What clients of the vendor send as `audience`, contract section (f.2)."""


@dataclass(frozen=True, slots=True)
class OAuth:
    """`issuer` is the public URL, without a slash at its end; `site_url` a site's own address."""

    store: Store
    keys: Keys
    issuer: str
    pages: Pages
    site_url: Callable[[Site], str]
    policy: TokenPolicy = field(default_factory=TokenPolicy)
    audiences: frozenset[str] = frozenset({FORGE_AUDIENCE})
    """Accepted as `audience` besides the issuer itself."""
    nonces: Nonces | None = None
    """Those that DPoP proofs must hold; None: none is asked for."""
    limits: RequestLimits = field(default_factory=RequestLimits)
    recognized: Recognized = field(default_factory=Recognized)
