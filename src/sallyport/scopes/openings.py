"""What a scope opens: the routes that ask for it."""

from __future__ import annotations

from collections.abc import Iterable

from sallyport.model.manifest import Route


def scope_routes(routes: Iterable[Route], scope: str) -> tuple[Route, ...]:
    """The routes that need `scope`, by path and operation. A route may need other scopes too."""
    opened = (route for route in routes if scope in route.scopes)
    return tuple(sorted(opened, key=lambda route: (route.path, route.operation)))
