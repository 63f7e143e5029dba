"""Route tables: an app's routes compiled once into something immutable, swapped in whole.

Among the routes that carry the wanted operation, the most specific path wins, segment by segment:
literal, `{name}`, `*`, `**`. Where no matching path carries it, `allowed` names the operations
that the matching paths do carry. What a call costs depends on its own segments: a path of literals
is one dictionary look-up however many routes there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from sallyport.manifest.paths import (
    DoubleStar,
    Literal,
    Param,
    Pattern,
    parse_path,
    shape,
)
from sallyport.model.manifest import OPERATIONS, Route


class Found(NamedTuple):
    """The route for a call. `params` are the `{name}` segments, decoded.

    `prefix` counts the segments that the route's leading literals took.
    """

    route: Route
    params: Mapping[str, str]
    prefix: int


class _Leaf(NamedTuple):
    route: Route
    prefix: int
    params: tuple[tuple[str, int], ...]
    fixed: Found | None

    def found(self, segments: Sequence[str]) -> Found:
        if self.fixed is not None:
            return self.fixed
        return Found(self.route, {name: segments[at] for name, at in self.params}, self.prefix)


_Leaves = dict[str, _Leaf]


class _Node:
    __slots__ = ("ends", "literals", "param", "rest", "star")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.param: _Node | None = None
        self.star: _Node | None = None
        self.ends: _Leaves = {}
        self.rest: _Leaves = {}


class RouteTable:
    """The compiled routes of one version. Made by `compile_routes`, never changed."""

    __slots__ = ("_root", "_static", "routes")

    def __init__(
        self, routes: tuple[Route, ...], root: _Node, static: Mapping[tuple[str, ...], _Leaves]
    ) -> None:
        self.routes = routes
        self._root = root
        self._static = static

    def find(self, operation: str, segments: tuple[str, ...]) -> Found | None:
        """The most specific route that carries `operation` and matches the decoded segments."""
        leaves = self._static.get(segments)
        if leaves is not None and operation in leaves:
            return leaves[operation].found(segments)
        for leaves in _matching(self._root, segments, 0):
            if operation in leaves:
                return leaves[operation].found(segments)
        return None

    def allowed(self, segments: tuple[str, ...]) -> tuple[str, ...]:
        """Every operation that some matching path carries; empty where no path matches."""
        carried = {
            operation for leaves in _matching(self._root, segments, 0) for operation in leaves
        }
        return tuple(operation for operation in OPERATIONS if operation in carried)


def compile_routes(routes: Iterable[Route]) -> RouteTable:
    """Routes as a table. Raises ValueError for a bad path or for two that match the same calls."""
    root = _Node()
    static: dict[tuple[str, ...], _Leaves] = {}
    kept = tuple(routes)
    seen: dict[tuple[str, tuple[str, ...]], str] = {}
    for route in kept:
        pattern = parse_path(route.path)
        call = (route.operation, shape(pattern))
        if call in seen:
            raise ValueError(f"{seen[call]} and {route.key} match the same calls")
        seen[call] = route.key
        leaf = _leaf(route, pattern)
        _leaves_of(root, pattern)[route.operation] = leaf
        if pattern.prefix == len(pattern.segments):
            literals = tuple(pattern.text[1:].split("/"))
            static.setdefault(literals, {})[route.operation] = leaf
    return RouteTable(kept, root, static)


def _leaf(route: Route, pattern: Pattern) -> _Leaf:
    params = tuple(
        (segment.name, at)
        for at, segment in enumerate(pattern.segments)
        if isinstance(segment, Param)
    )
    fixed = None if params else Found(route, MappingProxyType({}), pattern.prefix)
    return _Leaf(route, pattern.prefix, params, fixed)


def _leaves_of(root: _Node, pattern: Pattern) -> _Leaves:
    node = root
    for segment in pattern.segments:
        if isinstance(segment, Literal):
            node = node.literals.setdefault(segment.text, _Node())
        elif isinstance(segment, Param):
            node.param = node.param or _Node()
            node = node.param
        elif isinstance(segment, DoubleStar):
            return node.rest
        else:
            node.star = node.star or _Node()
            node = node.star
    return node.ends


def _matching(node: _Node, segments: tuple[str, ...], at: int) -> Iterator[_Leaves]:
    """Leaves that match from `at` on, the most specific first."""
    if at == len(segments):
        if node.ends:
            yield node.ends
        return
    literal = node.literals.get(segments[at])
    if literal is not None:
        yield from _matching(literal, segments, at + 1)
    if node.param is not None:
        yield from _matching(node.param, segments, at + 1)
    if node.star is not None:
        yield from _matching(node.star, segments, at + 1)
    if node.rest:
        yield node.rest
