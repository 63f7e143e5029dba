"""How a capability refuses: a status, a stable code, a text for the app's developer."""

from __future__ import annotations


class CapabilityRefused(Exception):
    """A capability request that is not carried out."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
