"""What a scope name looks like: `verb:noun:custom`, and its form with a namespace in front.

Contract sections (b.1), (c.1) and (f.3).
"""

from __future__ import annotations

import re

CUSTOM_SCOPE_PATTERN = r"^[-.:_a-zA-Z0-9]{1,93}:custom$"
CUSTOM_SUFFIX = ":custom"

_CUSTOM = re.compile(r"[-.:_a-zA-Z0-9]{1,93}:custom", re.ASCII)
_NAMESPACE = re.compile(r"[0-9a-f-]{36}\.[0-9a-f-]{36}", re.ASCII)


def is_custom(name: str) -> bool:
    """Whether `name` is a well-formed custom scope."""
    return _CUSTOM.fullmatch(name) is not None


def verb_noun(name: str) -> tuple[str, str] | None:
    """The verb and the noun of `verb:noun:custom`; None for a name of another build."""
    if not is_custom(name):
        return None
    parts = name.split(":")
    if len(parts) != 3 or not parts[0] or not parts[1]:
        return None
    return parts[0], parts[1]


def namespaced(namespace: str, scope: str) -> str:
    """`<app-id>.<environment-id>:<scope>` for a custom scope; any other scope as it is."""
    return f"{namespace}:{scope}" if is_custom(scope) else scope


def split_namespaced(scope: str) -> tuple[str | None, str]:
    """The namespace, None where there is none, and the scope without it."""
    namespace, colon, bare = scope.partition(":")
    if colon and _NAMESPACE.fullmatch(namespace) and is_custom(bare):
        return namespace, bare
    return None, scope
