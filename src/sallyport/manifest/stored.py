"""Manifests as the JSON text that versions keep."""

from __future__ import annotations

import msgspec

from sallyport.model.manifest import Manifest

_DECODER = msgspec.json.Decoder(Manifest)


def to_json(manifest: Manifest) -> str:
    """The manifest as JSON text; equal manifests give equal text."""
    return msgspec.json.encode(manifest, order="deterministic").decode()


def from_json(text: str) -> Manifest:
    """What `to_json` wrote. Raises msgspec.ValidationError for any other text."""
    return _DECODER.decode(text)
