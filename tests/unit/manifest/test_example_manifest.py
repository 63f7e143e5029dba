"""The example is a manifest to copy: no finding, not even a warning."""

from __future__ import annotations

from pathlib import Path

from sallyport.manifest.lint import lint
from sallyport.manifest.load import read_custom_scopes, read_manifest
from sallyport.manifest.source import Folder
from sallyport.manifest.write import with_app_id

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "employee-directory"
ARI = "ari:cloud:ecosystem::app/11111111-2222-4333-8444-555555555555"


def test_the_example_has_no_findings() -> None:
    data = (EXAMPLE / "manifest.yml").read_bytes()
    read = read_manifest(data, source=Folder(EXAMPLE))
    scopes = read_custom_scopes((EXAMPLE / "custom-scopes.yaml").read_bytes())
    assert read.diagnostics == ()
    assert scopes.diagnostics == ()
    assert lint(read, scopes) == ()


def test_the_example_has_the_routes_of_the_documentation() -> None:
    manifest = read_manifest((EXAMPLE / "manifest.yml").read_bytes()).manifest
    assert manifest is not None
    assert [(r.operation, r.path, r.scopes) for r in manifest.routes] == [
        ("GET", "/getEmployeeName", ("read:employee:custom",)),
        ("GET", "/employees/{id}", ("read:employee:custom",)),
        ("GET", "/employees/**", ("read:employee:custom",)),
        ("POST", "/editEmployeeName", ("write:employee:custom",)),
    ]
    readme = (EXAMPLE / "README.md").read_text()
    for route in manifest.routes:
        function = manifest.function(route.function)
        assert function is not None
        assert f"`{function.handler}`" in readme


def test_registering_replaces_the_id_of_the_example() -> None:
    data = (EXAMPLE / "manifest.yml").read_bytes()
    written = with_app_id(data, ARI)
    assert written.replace(ARI.encode(), b"") == data.replace(
        b"ari:cloud:ecosystem::app/00000000-0000-4000-8000-000000000000", b""
    )
