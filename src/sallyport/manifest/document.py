"""YAML as a bounded tree with a position on every node.

Read from parser events, so nothing is ever built from a tag, an anchor is refused before it can
multiply, and size, depth and line length are checked before work is done on them. Plain scalars
resolve by the YAML 1.2 core schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)
from ruamel.yaml.reader import ReaderError

MAX_BYTES = 1_048_576
MAX_LINE = 20_000
MAX_LINES = 20_000
MAX_NODES = 30_000
MAX_DEPTH = 30

_INTEGER = re.compile(r"[-+]?[0-9]{1,15}", re.ASCII)
_BASED = re.compile(r"0(?:o[0-7]{1,15}|x[0-9a-fA-F]{1,12})", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,15}|[0-9]{1,15}(?:\.[0-9]{0,15})?)(?:[eE][-+]?[0-9]{1,2})?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

Value: TypeAlias = str | int | float | bool | None


@dataclass(slots=True)
class Scalar:
    """A leaf. `line` and `column` count from 1; `start` and `end` are offsets into the text."""

    text: str
    plain: bool
    line: int
    column: int
    start: int
    end: int

    @property
    def value(self) -> Value:
        return resolve(self.text) if self.plain else self.text


@dataclass(slots=True)
class Sequence:
    line: int
    column: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    key: Scalar
    value: Node


@dataclass(slots=True)
class Mapping:
    """Entries by the text of their key. `start` is the offset of the first key or of the brace."""

    line: int
    column: int
    start: int
    flow: bool
    entries: dict[str, Entry] = field(default_factory=dict)

    def get(self, key: str) -> Node | None:
        """The value at `key`."""
        entry = self.entries.get(key)
        return entry.value if entry is not None else None

    def text(self, key: str) -> Scalar | None:
        """The value at `key` where it is a string."""
        value = self.get(key)
        return value if isinstance(value, Scalar) and isinstance(value.value, str) else None


Node: TypeAlias = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the YAML that does not stop the reading."""

    line: int
    column: int
    reason: str


class Unreadable(Exception):
    """The bytes are not a document that is taken. `line` and `column` count from 1."""

    def __init__(self, reason: str, line: int = 1, column: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Document:
    """`text` is what offsets count in; `root` is the top-level mapping."""

    text: str
    root: Mapping
    faults: tuple[Fault, ...]


def compose(data: bytes) -> Document:
    """Bytes as a tree. Raises Unreadable."""
    text = _text(data)
    composer = _Composer(text)
    try:
        root = composer.document()
    except Unreadable:
        raise
    except ReaderError as error:
        raise Unreadable(_unprintable(error), *_position(text, error.position)) from None
    except MarkedYAMLError as error:
        raise Unreadable(*_syntax(error)) from None
    except Exception:  # the parser meets hostile bytes; whatever it stumbles over is a bad document
        raise Unreadable("it is not well-formed YAML", *composer.last) from None
    return Document(text, root, tuple(composer.faults))


def to_data(node: Node) -> Any:
    """The tree as dicts, lists and scalars."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [to_data(item) for item in node.items]
    return {key: to_data(entry.value) for key, entry in node.entries.items()}


def resolve(text: str) -> Value:
    """A plain scalar by the YAML 1.2 core schema; numbers past 15 digits stay text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise Unreadable(f"it is larger than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        raise Unreadable("it is not UTF-8", *_position(before, len(before))) from None
    for number, line in enumerate(text.split("\n"), start=1):
        if number > MAX_LINES:
            raise Unreadable(f"it has more than {MAX_LINES} lines", number)
        if len(line) > MAX_LINE:
            raise Unreadable(f"the line is longer than {MAX_LINE} characters", number)
    return text


class _Composer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._nodes = 0
        self.last = (1, 1)
        self.faults: list[Fault] = []

    def document(self) -> Mapping:
        events: Iterator[Event] = iter(YAML(typ="safe", pure=True).parse(self._text))
        root: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._unreadable("it holds more than one document", event)
            elif not isinstance(event, (StreamStartEvent, DocumentEndEvent, StreamEndEvent)):
                root = self._node(event, events, 1)
        if root is None or (isinstance(root, Scalar) and root.value is None):
            raise Unreadable("it is empty")
        if not isinstance(root, Mapping):
            raise Unreadable("the top level is not a mapping", root.line, root.column)
        return root

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> Node:
        self._check(event, depth)
        line, column = self.last
        if isinstance(event, ScalarEvent):
            plain = event.style is None
            start, end = event.start_mark.index, event.end_mark.index
            return Scalar(event.value, plain, line, column, start, end)
        if isinstance(event, SequenceStartEvent):
            sequence = Sequence(line, column)
            while not isinstance(event := next(events), SequenceEndEvent):
                sequence.items.append(self._node(event, events, depth + 1))
            return sequence
        mapping = Mapping(
            line, column, event.start_mark.index, bool(_attribute(event, "flow_style"))
        )
        while not isinstance(event := next(events), MappingEndEvent):
            key = self._key(event, events, depth)
            value = self._node(next(events), events, depth + 1)
            first = mapping.entries.get(key.text)
            if first is None:
                mapping.entries[key.text] = Entry(key, value)
            else:
                reason = f"duplicate key '{visible(key.text)}' (first on line {first.key.line})"
                self.faults.append(Fault(key.line, key.column, reason))
        return mapping

    def _key(self, event: Event, events: Iterator[Event], depth: int) -> Scalar:
        key = self._node(event, events, depth + 1)
        if not isinstance(key, Scalar):
            raise self._unreadable("a key is not a plain word or a string", event)
        if key.plain and key.text == "<<":
            raise self._unreadable("merge keys ('<<') are not taken", event)
        return key

    def _check(self, event: Event, depth: int) -> None:
        self.last = (event.start_mark.line + 1, event.start_mark.column + 1)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._unreadable(f"it holds more than {MAX_NODES} values", event)
        if depth > MAX_DEPTH:
            raise self._unreadable(f"it is nested more than {MAX_DEPTH} levels deep", event)
        if isinstance(event, AliasEvent) or _attribute(event, "anchor") is not None:
            raise self._unreadable("anchors and aliases ('&', '*') are not taken", event)
        if _attribute(event, "tag") is not None:
            raise self._unreadable("tags ('!') are not taken", event)
        if isinstance(event, ScalarEvent) and any("\ud800" <= c <= "\udfff" for c in event.value):
            raise self._unreadable("a string holds half of a surrogate pair", event)

    def _unreadable(self, reason: str, event: Event) -> Unreadable:
        mark = event.start_mark
        return Unreadable(reason, mark.line + 1, mark.column + 1)


def _attribute(event: Event, name: str) -> Any:
    return getattr(event, name, None)


def visible(text: str, limit: int = 300) -> str:
    """Untrusted text fit for a message: cut to `limit`, control and format characters escaped."""
    cut = text if len(text) <= limit else text[:limit] + "…"
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in cut)


def _syntax(error: MarkedYAMLError) -> tuple[str, int, int]:
    reason = visible(" ".join(str(error.problem or error.context or "it is not YAML").split()))
    mark = error.problem_mark or error.context_mark
    return (reason, mark.line + 1, mark.column + 1) if mark is not None else (reason, 1, 1)


def _unprintable(error: ReaderError) -> str:
    character = error.character
    code = ord(character) if isinstance(character, str) else int(character)
    return f"the character U+{code:04X} is not allowed"


def _position(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, len(before) - before.rfind("\n")
