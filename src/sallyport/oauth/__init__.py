"""The authorization server: consent, codes, tokens, revocation, metadata.

Each endpoint has one ordered, visible tuple of steps. Owns the protocol (RFC 6749 and its kin,
contract section (f)): what is asked, in which order it is checked, how it is refused. Does not own
the atomic verbs (`store`), what a token is (`tokens`), how people sign in or how pages look: those
are handed in as `Pages`. Mounted by `app`.
"""

from sallyport.oauth.deps import OAuth
from sallyport.oauth.routes import build_desks, build_routes

__all__ = ["OAuth", "build_desks", "build_routes"]
