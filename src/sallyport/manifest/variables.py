"""Manifest variables: `${NAME}` in values, declared under `environment.variables`.

Filled in once, before validation, in values only. A name that is not declared is plain text, so
templates that happen to look alike are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sallyport.manifest.document import Fault, Node, Scalar, Sequence
from sallyport.manifest.document import Mapping as MappingNode

LONGEST_VALUE = 10_000
MOST_FILLED = 1_048_576

_USE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,254})\}", re.ASCII)


def fill_in(root: MappingNode, values: Mapping[str, str]) -> list[Fault]:
    """Replace the uses of declared variables in the tree; what cannot be filled in is a fault."""
    declared = _declared(root)
    faults: list[Fault] = []
    filled = 0
    if not declared:
        return faults
    for scalar in _scalars(root):
        missing = []
        pieces = []
        at = 0
        for use in _USE.finditer(scalar.text):
            name = use[1]
            if name not in declared:
                continue
            value = values.get(name, declared[name])
            if value is None:
                missing.append(name)
                continue
            pieces += [scalar.text[at : use.start()], value]
            at = use.end()
        for name in dict.fromkeys(missing):
            faults.append(Fault(scalar.line, scalar.column, f"variable '{name}' is not set"))
        if not pieces:
            continue
        text = "".join((*pieces, scalar.text[at:]))
        filled += len(text)
        if len(text) > LONGEST_VALUE or filled > MOST_FILLED:
            reason = f"with its variables it is longer than {LONGEST_VALUE} characters"
            faults.append(Fault(scalar.line, scalar.column, reason))
            return faults
        scalar.text = text
    return faults


def _declared(root: MappingNode) -> dict[str, str | None]:
    """Names with their defaults."""
    environment = root.get("environment")
    if not isinstance(environment, MappingNode):
        return {}
    variables = environment.get("variables")
    if not isinstance(variables, Sequence):
        return {}
    declared: dict[str, str | None] = {}
    for item in variables.items:
        if isinstance(item, Scalar):
            declared[item.text] = None
        elif isinstance(item, MappingNode):
            key, default = item.text("key"), item.get("default")
            if key is not None:
                declared[key.text] = default.text if isinstance(default, Scalar) else None
    return declared


def _scalars(root: MappingNode) -> Iterator[Scalar]:
    pending: list[Node] = [
        entry.value for name, entry in root.entries.items() if name != "environment"
    ]
    while pending:
        node = pending.pop()
        if isinstance(node, Scalar):
            yield node
        elif isinstance(node, Sequence):
            pending += node.items
        else:
            pending += [entry.value for entry in node.entries.values()]
