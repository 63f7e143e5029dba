"""A real server for tests of the control API; see `serving`."""

from __future__ import annotations

from serving import platform, unclaimed

__all__ = ["platform", "unclaimed"]
