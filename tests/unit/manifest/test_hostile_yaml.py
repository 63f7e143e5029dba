"""Attack T-DOS on manifests: whatever the bytes, an answer soon, in bounded memory."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sallyport.manifest.custom_scopes import read_custom_scopes
from sallyport.manifest.document import MAX_BYTES, MAX_LINE
from sallyport.manifest.findings import MOST_FINDINGS
from sallyport.manifest.load import read_manifest

LONG = MAX_LINE - 100


def reason(data: bytes | str) -> str:
    found = read_manifest(data.encode() if isinstance(data, str) else data)
    assert found.manifest is None
    first = next(d for d in found.diagnostics if d.reference == "valid-yaml-required")
    prefix, dash, text = first.message.partition("manifest.yml failed to parse content - ")
    assert dash
    assert prefix == ""
    return text


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (BOMB, "anchors and aliases ('&', '*') are not taken"),
        ("a: &x 1\n", "anchors and aliases ('&', '*') are not taken"),
        ("a: *x\n", "anchors and aliases ('&', '*') are not taken"),
        ("app: !!python/object/apply:os.system ['id']\n", "tags ('!') are not taken"),
        ("app: !!str x\n", "tags ('!') are not taken"),
        ("!!map {a: b}\n", "tags ('!') are not taken"),
        ("<<: {a: b}\n", "merge keys ('<<') are not taken"),
        ("a: 1\n---\nb: 2\n", "it holds more than one document"),
        ("- a\n", "the top level is not a mapping"),
        ("just text\n", "the top level is not a mapping"),
        ("", "it is empty"),
        ("# only a comment\n", "it is empty"),
        ("~\n", "it is empty"),
        ("? [a, b]\n: c\n", "a key is not a plain word or a string"),
        ("? {a: b}\n: c\n", "a key is not a plain word or a string"),
        ("a: \x00\n", "the character U+0000 is not allowed"),
        ("a: \x1b[31m\n", "the character U+001B is not allowed"),
        (b"a: 1\nb: \xff\n", "it is not UTF-8"),
        (b"a: \xc0\xaf\n", "it is not UTF-8"),
        ("a: b".encode("utf-16"), "it is not UTF-8"),
        ('a: "\\ud800"\n', "a string holds half of a surrogate pair"),
        ("a: b\na: c\n", "duplicate key 'a' (first on line 1)"),
        ('a: b\n"a": c\n', "duplicate key 'a' (first on line 1)"),
        ("a: " + "[" * 50 + "]" * 50, "it is nested more than 30 levels deep"),
        (b"#" * (MAX_BYTES + 1), f"it is larger than {MAX_BYTES} bytes"),
        (b"x" * 10_000_000, f"it is larger than {MAX_BYTES} bytes"),
        ("a: " + "x" * MAX_LINE, f"the line is longer than {MAX_LINE} characters"),
        ("a:\n" + " - x\n" * 30_000, "it has more than 20000 lines"),
        ("a:\n" + " - [x, x]\n" * 15_000, "it holds more than 30000 values"),
    ],
    ids=range(29),
)
def test_what_is_not_taken(data: bytes | str, why: str) -> None:
    assert reason(data) == why


def test_where_it_is_not_utf8() -> None:
    (finding,) = read_manifest(b"a: 1\nb: x\xff\n").diagnostics
    assert (finding.line, finding.column) == (2, 5)


def test_a_byte_order_mark_is_fine() -> None:
    assert "app must have required property 'runtime'" in [
        d.message for d in read_manifest(b"\xef\xbb\xbfapp: {}\n").diagnostics
    ]


def test_a_duplicate_key_does_not_hide_other_findings() -> None:
    found = read_manifest(b"app: {}\napp: {}\nmore: 1\n").diagnostics
    assert len([d for d in found if d.level == "error"]) == 4


SLOW = {
    "anchors": ("a: &" + "x" * LONG + "\n") * 50,
    "tags": ("a: !" + "x" * LONG + "\n") * 50,
    "escaped tag": "a: !<" + "%41" * (LONG // 3) + ">",
    "flow depth": "[" * LONG,
    "flow mappings": "a: " + "{a: " * (LONG // 4),
    "flow items": "a: [" + "x,\n" * 19_000 + "]",
    "block depth": "".join(" " * n + "a:\n" for n in range(1400)),
    "dashes": "- " * (LONG // 2),
    "question marks": "? " * (LONG // 2),
    "duplicates": "a: b\n" * 14_000,
    "unknown keys": "".join(f"k{n}: v\n" for n in range(14_000)),
    "long keys": "".join(f"{'k' * 1000}{n}: v\n" for n in range(1000)),
    "plain text": "a: " + ("x " * 25 + "\n  ") * 19_000,
    "quoted text": 'a: "' + ("\\x41" * 13 + "\n ") * 19_000 + '"',
    "block text": "a: |\n" + ("  " + "x" * 50 + "\n") * 19_000,
    "comments": ("# " + "x" * 50 + "\n") * 19_000 + "a: 1\n",
    "directives": ("%FOO " + "x" * 46 + "\n") * 19_000,
    "version": "%YAML " + "1" * LONG + ".1\n---\na: b\n",
    "big number": "app: " + "9" * LONG,
    "modules": "modules:\n" + "".join(f" m{n}: []\n" for n in range(9_000)),
    "module keys": "modules:\n apiRoute:\n" + "  - key: a\n" * 9_000,
    "functions": "modules:\n apiRoute:\n"
    + "".join(f"  - {{function: f{n}}}\n" for n in range(4_000))
    + " function:\n"
    + "".join(f"  - {{key: g{n}}}\n" for n in range(4_000)),
    "equal items": "modules: {apiRoute: [{scopes: [" + "{},\n" * 14_000 + "]}]}",
    "unequal items": "modules: {apiRoute: [{scopes: ["
    + "".join(f"{{a: {n}}},\n" for n in range(9_000))
    + "]}]}",
    "slashes": "modules: {apiRoute: [{path: /" + "a/" * (LONG // 2 - 100) + "}]}",
    "braces": "modules: {apiRoute: [{path: '/a" + "/{a" * (LONG // 3 - 100) + "'}]}",
    "handler": "modules: {function: [{handler: " + "a/" * (LONG // 2 - 100) + "}]}",
    "description": "scopes: {'a:custom': {description: '" + "x" * (LONG // 2) + "\n" * 99 + "'}}",
}


@pytest.mark.parametrize("name", SLOW)
def test_a_hostile_megabyte_is_answered_soon(name: str) -> None:
    data = SLOW[name].encode()
    assert len(data) <= MAX_BYTES
    begun = time.process_time()
    found = read_manifest(data)
    assert time.process_time() - begun < 4
    assert found.manifest is None
    assert 1 <= len(found.diagnostics) <= MOST_FINDINGS + 1


@pytest.mark.parametrize("name", ["tags", "unknown keys", "flow depth"])
def test_a_hostile_document_costs_bounded_memory(name: str) -> None:
    data = SLOW[name].encode()
    tracemalloc.start()
    try:
        read_manifest(data)
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


def test_what_is_shown_of_hostile_text_is_short_and_plain() -> None:
    data = 'app: {"\\e[31m\\u202e' + "x" * 5000 + '": 1, runtime: {name: "a\\r\\nb"}}'
    for finding in read_manifest(data.encode()).diagnostics:
        assert len(finding.message) < 1000
        assert finding.message.isprintable()
        assert (finding.fix or "").isprintable()


def test_findings_past_the_bound_are_counted() -> None:
    found = read_manifest(b"".join(b"k%d: v\n" % n for n in range(300))).diagnostics
    assert len(found) == MOST_FINDINGS + 1
    assert found[-1].message == "202 more findings are not shown"
    assert found == tuple(sorted(found, key=lambda d: (d.line, d.column)))


TOKENS = st.lists(
    st.sampled_from(
        [
            *"\n\n\n  :-[]{}&*!|>'\"%@`#?,~<=\t\\",
            "app:",
            "modules:",
            "apiRoute:",
            "function:",
            "\n  ",
            "\n    - ",
            "key: ",
            "path: /a",
            "scopes: ",
            "permissions:",
            "environment: {variables: [",
            "${A}",
            "---",
            "...",
            "<<: ",
            "\u2028",
            "\x85",
            "é",
            "1",
            "version: ",
            "a:custom",
        ]
    ),
    max_size=40,
).map("".join)


@settings(max_examples=600, deadline=None)
@given(st.one_of(st.binary(max_size=200), TOKENS.map(str.encode)))
@example(b'"\\U99999999"')
@example(b"%YAML 1.1\n---\n")
def test_no_bytes_raise(data: bytes) -> None:
    for found in (read_manifest(data), read_custom_scopes(data)):
        assert len(found.diagnostics) <= MOST_FINDINGS + 1
        for finding in found.diagnostics:
            assert finding.line >= 1
            assert finding.column >= 1
            assert finding.message.isprintable()
    assert read_manifest(data).manifest is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "app",
                    "modules",
                    "apiRoute",
                    "function",
                    "key",
                    "path",
                    "scopes",
                    "runtime",
                    "permissions",
                    "external",
                    "fetch",
                    "backend",
                    "resolver",
                    "remotes",
                    "id",
                    "environment",
                    "variables",
                    "handler",
                    "operation",
                    "webtrigger",
                    "version",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(["app", "modules", "permissions", "scopes"]), JSON))
def test_no_wrong_types_raise(data: dict[str, object]) -> None:
    text = json.dumps(data).encode()
    assert read_manifest(text).diagnostics
    assert read_custom_scopes(text).diagnostics
