"""Samples are calls that work, and run nothing but the call, whatever examples hold.

Planted bugs that these tests were seen to fail on: the URL of the curl sample between plain quotes;
a path example not percent-encoded; the body in Python by f-string.
"""

from __future__ import annotations

import ast
import json
import shlex
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sallyport.manifest.samples import samples
from sallyport.model.api_notes import NO_NOTES, BodyNotes, FunctionNotes, ParameterNotes
from sallyport.model.manifest import Route

BASE = "https://sallyport.example/svc/jira/c/apps/a_e"


def route(operation: str, path: str) -> Route:
    return Route("key", operation, path, "run", (), ("read:a:custom",))


def sample(language: str, made: Route, notes: FunctionNotes = NO_NOTES) -> str:
    return next(each.text for each in samples(made, notes, BASE) if each.language == language)


def test_a_reading_call() -> None:
    notes = FunctionNotes(
        path={"id": ParameterNotes(example=7)},
        query={
            "q": ParameterNotes(required=True),
            "page": ParameterNotes(),
            "n": ParameterNotes(example=0),
        },
    )
    text = sample("curl", route("GET", "/employees/{id}/**"), notes)
    assert text == (
        f"curl '{BASE}/employees/7/REST?q=Q&n=0' \\\n  -H \"Authorization: Bearer $ACCESS_TOKEN\""
    )


def test_what_lies_deeper_keeps_its_slashes() -> None:
    notes = FunctionNotes(
        path={"rest": ParameterNotes(example="b/c d"), "x": ParameterNotes(example="b/c")}
    )
    assert f"{BASE}/a/b/c%20d" in sample("curl", route("GET", "/a/**"), notes)
    assert f"{BASE}/a/b%2Fc" in sample("curl", route("GET", "/a/{x}"), notes)


def test_a_writing_call_sends_the_example() -> None:
    notes = FunctionNotes(request=BodyNotes(example={"name": "O'Hara", "tags": [None, True]}))
    words = shlex.split(sample("curl", route("POST", "/a"), notes).replace(" \\\n", " "))
    assert words[:3] == ["curl", "-X", "POST"]
    assert json.loads(words[words.index("-d") + 1]) == {"name": "O'Hara", "tags": [None, True]}


def test_curl_sends_a_body_by_the_method_of_the_route() -> None:
    notes = FunctionNotes(request=BodyNotes(example=1))
    assert sample("curl", route("GET", "/a"), notes).startswith("curl -X GET ")


@pytest.mark.parametrize("operation", ["POST", "PUT", "PATCH"])
def test_a_writing_call_has_a_body_anyway(operation: str) -> None:
    assert "-d '{}'" in sample("curl", route(operation, "/a"))
    assert "json={}," in sample("Python", route(operation, "/a"))
    assert "JSON.stringify({})" in sample("JavaScript", route(operation, "/a"))


texts = st.text(max_size=12) | st.sampled_from(
    ["'; rm -rf ~ #", '"$(id)`id`', "\\\n", "</pre>", "\u2028"]
)


@given(texts, texts, st.recursive(texts | st.none(), lambda inner: st.lists(inner, max_size=2)))
def test_examples_are_data_in_every_language(segment: str, asked: str, body: Any) -> None:
    notes = FunctionNotes(
        path={"id": ParameterNotes(example=segment or "x")},
        query={"q": ParameterNotes(example=asked)},
        request=BodyNotes(example={"it": body}),
    )
    made = route("PUT", "/a/{id}")
    words = shlex.split(sample("curl", made, notes).replace(" \\\n", " "))
    assert words[0:3] == ["curl", "-X", "PUT"]
    assert len(words) == 10
    url = urlsplit(words[3])
    assert unquote(url.path, errors="strict").endswith(f"/a/{segment or 'x'}")
    assert url.path.count("/") == urlsplit(BASE).path.count("/") + 2
    assert dict(parse_qsl(url.query, keep_blank_values=True)) == {"q": asked}
    assert json.loads(words[9]) == {"it": body}
    call = next(
        each.value
        for each in ast.parse(sample("Python", made, notes)).body
        if isinstance(each, ast.Assign)
    )
    assert isinstance(call, ast.Call)
    assert ast.literal_eval(call.args[1]) == words[3]
    assert ast.literal_eval(call.keywords[1].value) == {"it": body}
    script = sample("JavaScript", made, notes)
    assert json.loads(script.partition("fetch(")[2].partition(", {\n")[0]) == words[3]
    assert json.loads(script.partition("JSON.stringify(")[2].partition("),\n")[0]) == {"it": body}
