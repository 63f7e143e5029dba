"""Clients whose secret was live when they last proved to have it; the oldest unused give way."""

from __future__ import annotations

import hmac
from collections import OrderedDict


class Recognized:
    """One secret for each client, as a digest. Nothing is allowed by what is remembered here alone.

    A client that moves to its second secret is looked up once, and remembered by that one.
    """

    def __init__(self, bound: int = 10_000) -> None:
        self._bound = bound
        self._digests: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._digests)

    def knows(self, client_id: str, presented: str) -> bool:
        """Whether this digest is the one that is remembered of the client."""
        remembered = self._digests.get(client_id)
        if remembered is None or not hmac.compare_digest(remembered, presented):
            return False
        self._digests.move_to_end(client_id)
        return True

    def remember(self, client_id: str, presented: str) -> None:
        self._digests[client_id] = presented
        self._digests.move_to_end(client_id)
        if len(self._digests) > self._bound:
            self._digests.popitem(last=False)

    def forget(self, client_id: str) -> None:
        self._digests.pop(client_id, None)
