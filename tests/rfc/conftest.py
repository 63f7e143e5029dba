"""The authorization server, one for each module."""

from __future__ import annotations

from oauth_world import server

__all__ = ["server"]
