"""The house and the browser, for every test of pages."""

from __future__ import annotations

from browsing import chromium, house, page, running_house

__all__ = ["chromium", "house", "page", "running_house"]
