"""Which redirect URIs are a client's."""

from __future__ import annotations

import re

from sallyport.model.access import ClientKind, Integration

_LOOPBACK = re.compile(
    r"http://(127\.0\.0\.1|\[::1\])(?::([1-9][0-9]{0,4}))?([/?][\x21-\x22\x24-\x7e]*)?",
    re.ASCII,
)


def is_registered(integration: Integration, given: str) -> bool:
    """Whether `given` is, character by character, one of the registered redirect URIs.

    Of a public client's loopback IP address any port will do, since native apps are given one by
    the operating system (RFC 8252 section 7.3); `localhost` is a name and has no such freedom.
    """
    if given in integration.redirect_uris:
        return True
    if integration.kind is not ClientKind.PUBLIC:
        return False
    wanted = _without_port(given)
    return wanted is not None and wanted in map(_without_port, integration.redirect_uris)


def _without_port(uri: str) -> tuple[str, str] | None:
    """Host and the rest of a loopback URI; None where it is none."""
    found = _LOOPBACK.fullmatch(uri)
    if found is None or int(found[2] or 80) > 65535:
        return None
    return found[1], found[3] or ""
