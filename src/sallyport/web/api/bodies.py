"""What request bodies have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """A JSON object: no conversion between types, no member that is not known."""

    model_config = ConfigDict(strict=True, extra="forbid")
