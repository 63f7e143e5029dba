"""Building at deploy: what esbuild makes and says, and stack traces in the app's sources."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from node_world import Play, World, built, manifest_of

from sallyport.cli.bundle_node import build, find_esbuild
from sallyport.cli.failures import Failed


def test_typescript_and_jsx_in_folders_become_one_file_each(packages: Path, play: Play) -> None:
    app = built(
        packages,
        {
            "src/index.ts": """
                import { greeting, type Name } from './lib/names';
                export const run = async () => {
                  const name: Name = 'Ada';
                  return { statusCode: 200, body: { text: greeting(name) } };
                };
            """,
            "src/lib/names.ts": """
                export type Name = string;
                export const greeting = (name: Name): string => `Hello ${name}`;
            """,
            "src/api/people.js": """
                import { join } from 'node:path';
                import data from './people.json';
                export function find() {
                  return { statusCode: 200, body: { path: join('a', 'b'), data } };
                }
            """,
            "src/api/people.json": '{"1": "Grace"}',
        },
        "index.run",
        "api/people.find",
    )
    assert sorted(p.name for p in (app.folder / "dist").rglob("*.cjs")) == [
        "index.cjs",
        "people.cjs",
    ]

    async def scenario(world: World) -> None:
        answer = await world.answer(app.target())
        assert json.loads(answer.body) == {"text": "Hello Ada"}
        answer = await world.answer(app.target(), "api/people.find")
        assert json.loads(answer.body) == {"path": "a/b", "data": {"1": "Grace"}}

    play(scenario)


def test_stack_traces_speak_of_the_sources(packages: Path, play: Play) -> None:
    source = """\
        type Wish = { id: string };

        interface Padding { more: number; than: string; one: boolean }

        export const run = async (request: { body: string }) => {
          const wish: Wish = { id: request.body };
          console.error(new Error('logged'));
          return answer(wish);
        };

        function answer(wish: Wish): never {
          throw new RangeError('out of ids');
        }
        """
    app = built(packages, {"src/index.ts": source})

    async def scenario(world: World) -> None:
        failure = await world.failure(app.target())
        assert failure.message == "RangeError: out of ids"
        logged, thrown = world.texts("ERROR")
        assert logged.splitlines()[:2] == ["Error: logged", "    at run (src/index.ts:7:17)"]
        assert thrown.splitlines() == [
            "RangeError: out of ids",
            "    at answer (src/index.ts:12:9)",
            "    at run (src/index.ts:8:10)",
        ]

    play(scenario)


def test_an_app_may_bring_its_own_bundle(packages: Path) -> None:
    folder = packages / "work" / "own-bundle"
    (folder / "out").mkdir(parents=True, exist_ok=True)
    (folder / "out" / "index.cjs").write_text("exports.run = () => ({ statusCode: 200 });")
    assert b"exports.run" in build(folder, manifest_of("index.run"), "out/")["dist/index.cjs"]


def test_what_esbuild_says_is_shown(packages: Path) -> None:
    folder = packages / "work" / "broken"
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "src" / "index.js").write_text(
        "import x from 'no-such-package';\nexport const run = ("
    )
    with pytest.raises(Failed) as failed:
        build(folder, manifest_of("index.run"))
    assert failed.value.message == "esbuild could not build the app."
    assert any("src/index.js:2" in line for line in failed.value.lines)
    (folder / "src" / "index.js").write_text(
        "import x from 'no-such-package';\nexport const run = x;"
    )
    with pytest.raises(Failed) as failed:
        build(folder, manifest_of("index.run"))
    assert 'Could not resolve "no-such-package"' in "\n".join(failed.value.lines)
    assert failed.value.fix == (
        "Run `npm install` in the app's folder, so that what it imports is there."
    )


def test_without_esbuild_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SALLYPORT_ESBUILD", raising=False)
    with pytest.raises(Failed) as failed:
        find_esbuild(tmp_path)
    assert failed.value.message == "There is no esbuild to build the app with."
    assert "npm install --save-dev esbuild" in str(failed.value.fix)
    monkeypatch.setenv("SALLYPORT_ESBUILD", str(tmp_path / "nothing"))
    with pytest.raises(Failed):
        find_esbuild(tmp_path)


def test_the_same_sources_build_the_same_bytes(packages: Path) -> None:
    source = {"src/index.ts": "export const run = () => ({ statusCode: 200 });"}
    one, two = (built(packages, source) for _ in range(2))
    for name in ("index.cjs", "index.cjs.map"):
        assert (one.folder / "dist" / name).read_bytes() == (
            two.folder / "dist" / name
        ).read_bytes()
