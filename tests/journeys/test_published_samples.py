"""What the API documentation tells callers to type is typed, against the demo, as it stands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from demo_world import Demo


class _Samples(HTMLParser):
    """The text of each `<pre class="sample">`, by its id."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._id: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre":
            self._id = dict(attrs).get("id")

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._id = None

    def handle_data(self, data: str) -> None:
        if self._id is not None:
            self.found[self._id] = self.found.get(self._id, "") + data


@pytest.fixture(scope="module")
def built(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The documentation of the example app for the demo's site, built by its developer."""
    output = tmp_path_factory.mktemp("docs") / "api"
    site = demo.site_host.partition(":")[0]
    told = demo.person("developer").cli(
        "docs", "build", "--app", demo.facts["app_id"], "-s", site, "-o", str(output)
    )
    assert "Wrote the documentation of" in told
    return output


def samples(built: Path) -> dict[str, str]:
    parser = _Samples()
    parser.feed((built / "index.html").read_text())
    return parser.found


def test_the_files_are_there_and_whole(built: Path, demo: Demo) -> None:
    assert {each.name for each in built.iterdir()} == {
        "index.html",
        "openapi.json",
        "sallyport.css",
    }
    described = json.loads((built / "openapi.json").read_text())
    assert described["servers"] == [{"url": demo.facts["base_url"]}]
    operation = described["paths"]["/getEmployeeName"]["get"]
    assert operation["summary"] == "Look up an employee's name"
    assert operation["parameters"][0]["name"] == "id"
    page = (built / "index.html").read_text()
    assert demo.facts["base_url"] in page
    assert "/console" not in page


def test_without_a_site_it_is_for_readers_on_any(demo: Demo, tmp_path: Path) -> None:
    developer = demo.person("developer")
    developer.cli("docs", "build", "--app", demo.facts["app_id"], "-o", str(tmp_path))
    for name in ("index.html", "openapi.json"):
        text = (tmp_path / name).read_text()
        assert "{cloud-id}" in text
        assert demo.facts["cloud_id"] not in text
    outsider = demo.person("outsider")
    refused = outsider.cli(
        "docs", "build", "--app", demo.facts["app_id"], "-o", str(tmp_path / "x"), expect=1
    )
    assert "no such API" in refused
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("route", "answer"),
    [
        ("get-employee-name", {"id": "1234", "name": "Ada"}),
        ("get-employee", {"department": "engineering"}),
        ("browse-employees", {"employees": ""}),
        ("edit-employee-name", {"name": "Ada King"}),
    ],
)
@pytest.mark.parametrize("language", ["curl", "python", "node"])
def test_every_sample_works(
    language: str, route: str, answer: dict[str, str], built: Path, demo: Demo
) -> None:
    program = sys.executable if language == "python" else shutil.which(language)
    if program is None:
        pytest.skip(f"This machine has no {language}.")
    number = ["curl", "python", "node"].index(language) + 1
    text = samples(built)[f"sample-{route}-{number}"]
    command = {
        "curl": ["sh", "-c", text.replace("curl", "curl -s", 1)],
        "python": [program, "-c", text],
        "node": [program, "--input-type=module", "-e", text],
    }[language]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "ACCESS_TOKEN": demo.facts["access_token"]},
    )
    # The demo is everybody's: who was renamed is given the name back.
    restored = demo.call("POST", "/editEmployeeName", json={"id": "1234", "name": "Ada Lovelace"})
    assert restored.is_success
    assert done.returncode == 0, done.stderr
    for name, value in answer.items():
        assert name in done.stdout
        assert value in done.stdout
