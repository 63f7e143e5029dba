"""The house and the browser for attacks on pages, the authorization server for those on it."""

from __future__ import annotations

from browsing import chromium, house, page, running_house
from oauth_world import server
from serving import unclaimed

__all__ = ["chromium", "house", "page", "running_house", "server", "unclaimed"]
