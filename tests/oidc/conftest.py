"""The company of `idp_world`, once for the session."""

from __future__ import annotations

from idp_world import company, company_app

__all__ = ["company", "company_app"]
