"""Packages that an app asks for: resolved as wheels, kept beside its code, found by its imports."""

from __future__ import annotations

import _json
import asyncio
import contextlib
import io
import json
import socket
import sysconfig
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from runtime_world import Play, World, no_capability

from package_index import PackageIndex
from sallyport.manifest.requirements import read_requirements
from sallyport.model.decision import LogLine
from sallyport.runtime.bundle import bundle_path, store_bundle
from sallyport.runtime.call import Limits
from sallyport.runtime.pool import Pool
from sallyport.runtime.resolve import Resolver
from sallyport.runtime.sandbox.choice import examine
from sallyport.runtime.sandbox.sandboxed import SandboxDriver
from sallyport.runtime.wheels import lock_of
from sallyport.vocab.clock import SystemClock
from sallyport.vocab.errors import Reason, Refused


@pytest.fixture
def index(tmp_path: Path) -> PackageIndex:
    return PackageIndex(tmp_path / "index")


def app_archive(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


SOURCE = "def run(request):\n    return {'statusCode': 200}\n"


def store(
    tmp_path: Path, index: PackageIndex, requirements: str, source: str = SOURCE, **limits: int
) -> tuple[Path, str]:
    """Resolve and store an app; its bundle's folder and its lock."""

    async def go() -> tuple[Path, str]:
        wanted = read_requirements(requirements.encode(), None)
        archive = app_archive({"src/index.py": source, "requirements.txt": requirements})
        async with Resolver(index.url, **limits).wheels(wanted) as wheels:
            folder = tmp_path / "bundles"
            digest = await asyncio.to_thread(store_bundle, folder, archive, wheels)
            return bundle_path(folder, digest), lock_of(wheels)

    return asyncio.run(go())


def refused(tmp_path: Path, index: PackageIndex, requirements: str, reason: Reason) -> str:
    with pytest.raises(Refused) as caught:
        store(tmp_path, index, requirements)
    assert caught.value.reason is reason, caught.value.detail
    bundles = tmp_path / "bundles"
    assert not bundles.exists() or list(bundles.iterdir()) == []
    return caught.value.detail


# ---- what works


def test_a_package_and_what_it_requires_can_be_imported(
    tmp_path: Path, index: PackageIndex, play: Play
) -> None:
    index.add("inner", "2.1")
    digest = index.add("outer", "1.4", {"outer/__init__.py": "from inner import VERSION\n"},
                       requires=("inner>=2",))  # fmt: skip
    source = """
        import outer
        def run(request):
            return {"statusCode": 200, "body": outer.VERSION + outer.__file__}
    """
    folder, lock = store(tmp_path, index, "outer ~= 1.0  # what we need\n", SOURCE)
    pinned = json.loads(lock)
    assert [(each["name"], each["version"]) for each in pinned] == [
        ("inner", "2.1"),
        ("outer", "1.4"),
    ]
    assert pinned[1]["sha256"] == digest

    async def scenario(world: World) -> None:
        target = world.app(source)
        (target.bundle_dir / "packages").symlink_to(folder / "packages")
        body = (await world.answer(target)).body.decode()
        assert body.startswith("2.1")
        assert body.endswith("packages/outer/__init__.py")

    play(scenario)


def test_a_package_with_a_compiled_module_runs(
    tmp_path: Path, index: PackageIndex, play: Play
) -> None:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    library = Path(getattr(_json, "__file__", "") or "missing")
    if not library.exists():
        pytest.skip("this Python has its modules built in, so there is none to put into a wheel")
    index.add(
        "quick",
        files={"quick/__init__.py": "from quick import _json\n",
               f"quick/_json{suffix}": library.read_bytes()},
    )  # fmt: skip
    folder, _ = store(
        tmp_path,
        index,
        "quick",
        "import quick\n\ndef run(request):\n"
        "    return {'statusCode': 200, 'body': quick._json.__file__}\n",
    )

    async def scenario(world: World) -> None:
        target = replace(world.app(SOURCE), bundle_dir=folder)
        assert f"packages/quick/_json{suffix}".encode() in (await world.answer(target)).body

    play(scenario)


def test_equal_packages_make_equal_bundles_and_other_packages_another(
    tmp_path: Path, index: PackageIndex
) -> None:
    index.add("thing", "1.0")
    first, _ = store(tmp_path, index, "thing")
    again, _ = store(tmp_path, index, "thing")
    assert first == again
    index.add("thing", "1.1")
    newer, _ = store(tmp_path, index, "thing")
    assert newer != first
    assert (first / "packages" / "thing.py").read_text() == "VERSION = '1.0'\n"


def test_modules_of_the_app_come_before_packages(
    tmp_path: Path, index: PackageIndex, play: Play
) -> None:
    index.add("json")
    folder, _ = store(
        tmp_path,
        index,
        "json",
        "import json\n\ndef run(request):\n"
        "    return {'statusCode': 200, 'body': {'dumps': hasattr(json, 'dumps')}}\n",
    )

    async def scenario(world: World) -> None:
        target = replace(world.app(SOURCE), bundle_dir=folder)
        assert (await world.answer(target)).body == b'{"dumps":true}'

    play(scenario)


def test_dependencies_of_a_pyproject_are_read() -> None:
    project = b'[project]\nname = "x"\ndependencies = ["a>=1", "b[c]; python_version >= \'3\'"]\n'
    assert read_requirements(None, project) == ("a>=1", "b[c]; python_version >= '3'")
    assert read_requirements(b"z\n", project) == ("z",)


def test_hashes_are_held_to(tmp_path: Path, index: PackageIndex) -> None:
    digest = index.add("thing")
    store(tmp_path, index, f"thing==1.0 \\\n    --hash=sha256:{digest}\n")


def test_packages_are_found_in_the_sandbox_too(tmp_path: Path, index: PackageIndex) -> None:
    driver = SandboxDriver()
    with contextlib.closing(driver):
        problem = examine(driver).problem
        if problem:
            pytest.skip(f"this host has no sandbox: {problem}")
        files: dict[str, bytes | str] = {"quick/__init__.py": "VALUE = 7\n"}
        library = getattr(_json, "__file__", None)
        if library is not None:
            files[f"quick/{Path(library).name}"] = Path(library).read_bytes()
            files["quick/__init__.py"] = "from quick import _json\nVALUE = 7\n"
        index.add("quick", files=files)
        bundle, _ = store(
            tmp_path,
            index,
            "quick",
            "import quick\n\ndef run(request):\n"
            "    return {'statusCode': 200, 'body': [quick.VALUE, quick.__cached__]}\n",
        )
        # pytest's folders are closed to the worker's user.
        for folder in [*bundle.parents][: len(tmp_path.parents)]:
            if "pytest" in str(folder):
                folder.chmod(0o755)

        async def go() -> bytes:
            lines: list[LogLine] = []
            pool = Pool(driver, Limits(), SystemClock(), lines.append, no_capability)
            try:
                target = replace(World(tmp_path, pool, lines).app(SOURCE), bundle_dir=bundle)
                return (await World(tmp_path, pool, lines).answer(target)).body
            finally:
                await pool.close()

        value, compiled = json.loads(asyncio.run(go()))
        assert value == 7
        assert compiled.startswith("/app/packages/quick/__pycache__/")


# ---- what is refused


@pytest.mark.parametrize(
    "line",
    [
        "-r other.txt",
        "--index-url https://example.org/simple",
        "--find-links /etc",
        "-e .",
        "./package",
        "/etc/passwd",
        "../x",
        "thing @ https://example.org/thing.whl",
        "git+https://example.org/thing",
        "https://example.org/thing.whl",
        "thing --config-settings x=y",
        "thing --hash=md5:00",
        "thing ; -r x",
        "thing>=1 other",
        "${HOME}",
        "thing\x00",
        "ünï",
    ],
)
def test_a_line_that_is_no_name_with_versions_is_refused(line: str) -> None:
    with pytest.raises(Refused) as caught:
        read_requirements(b"fine>=1\n" + line.encode(), None)
    assert caught.value.reason is Reason.DEPENDENCIES_INVALID
    assert "requirements.txt:2" in caught.value.detail


@pytest.mark.parametrize(
    "project", [b"[project", b"project = 3", b"[project]\ndependencies = 'x'", b"\xff"]
)
def test_a_pyproject_that_cannot_be_read_is_refused(project: bytes) -> None:
    with pytest.raises(Refused):
        read_requirements(None, project)


def test_a_requirement_that_nothing_meets_is_named(tmp_path: Path, index: PackageIndex) -> None:
    index.add("thing", "1.0")
    detail = refused(tmp_path, index, "thing>=2\n", Reason.DEPENDENCIES_UNRESOLVED)
    assert "'thing>=2'" in detail


def test_versions_that_contradict_each_other_are_named(tmp_path: Path, index: PackageIndex) -> None:
    index.add("inner", "1.0")
    index.add("inner", "2.0")
    index.add("outer", "1.0", requires=("inner<2",))
    detail = refused(tmp_path, index, "outer\ninner>=2\n", Reason.DEPENDENCIES_UNRESOLVED)
    assert "inner" in detail


def test_a_wheel_for_another_platform_is_not_taken(tmp_path: Path, index: PackageIndex) -> None:
    index.add("thing", tag="cp39-cp39-win_amd64")
    refused(tmp_path, index, "thing\n", Reason.DEPENDENCIES_UNRESOLVED)


def test_a_wrong_hash_is_refused(tmp_path: Path, index: PackageIndex) -> None:
    index.add("thing")
    wrong = f"thing==1.0 --hash=sha256:{'0' * 64}\n"
    assert "thing==1.0" in refused(tmp_path, index, wrong, Reason.DEPENDENCIES_UNRESOLVED)


def source_archive(name: str, marker: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in {
            "setup.py": f"open({str(marker)!r}, 'w').write('ran')\n"
            f"from setuptools import setup\nsetup(name={name!r}, version='1.0')\n",
            "PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: 1.0\n",
        }.items():
            info = tarfile.TarInfo(f"{name}-1.0/{path}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def test_a_package_that_comes_as_source_is_not_built(tmp_path: Path, index: PackageIndex) -> None:
    marker = tmp_path / "marker"
    index.put("built", "built-1.0.tar.gz", source_archive("built", marker))
    assert "'built'" in refused(tmp_path, index, "built\n", Reason.DEPENDENCIES_UNRESOLVED)
    assert not marker.exists()


def test_an_address_in_a_packages_metadata_is_not_built_either(
    tmp_path: Path, index: PackageIndex
) -> None:
    marker = tmp_path / "marker"
    source = tmp_path / "sly-1.0.tar.gz"
    source.write_bytes(source_archive("sly", marker))
    index.add("honest", requires=(f"sly @ {source.as_uri()}",))
    refused(tmp_path, index, "honest\n", Reason.DEPENDENCIES_UNRESOLVED)
    assert not marker.exists()


@pytest.mark.parametrize(
    "name", ["../../evil.py", "/evil.py", "sly.pth", "sitecustomize.py", "sallyport_app/kvs.py"]
)
def test_a_wheel_with_a_harmful_file_is_refused(
    tmp_path: Path, index: PackageIndex, name: str
) -> None:
    index.add("sly", files={name: "import os\n"})
    assert "sly" in refused(tmp_path, index, "sly\n", Reason.DEPENDENCIES_INVALID)


def test_a_wheel_with_a_link_is_refused(tmp_path: Path, index: PackageIndex) -> None:
    index.add("sly", links={"sly/passwd": "/etc/passwd"})
    refused(tmp_path, index, "sly\n", Reason.DEPENDENCIES_INVALID)


def test_two_packages_may_not_bring_different_files_of_one_name(
    tmp_path: Path, index: PackageIndex
) -> None:
    index.add("first", files={"shared/__init__.py": "", "shared/a.py": "1"})
    index.add("second", files={"shared/__init__.py": "", "shared/b.py": "1"})
    store(tmp_path / "ok", index, "first\nsecond\n")
    index.add("third", files={"shared/__init__.py": "x = 1"})
    index.add("fourth", files={"shared": "x = 1"})
    detail = refused(tmp_path, index, "first\nthird\n", Reason.DEPENDENCIES_INVALID)
    assert "shared/__init__.py" in detail
    refused(tmp_path, index, "first\nfourth\n", Reason.DEPENDENCIES_INVALID)


def test_a_wheel_that_unpacks_to_far_more_is_refused(tmp_path: Path, index: PackageIndex) -> None:
    index.add("bomb", files={"bomb.bin": b"\0" * (251 * 1024 * 1024)})
    assert "250 MB" in refused(tmp_path, index, "bomb\n", Reason.DEPENDENCIES_INVALID)


def test_a_wheel_with_too_many_files_is_refused(tmp_path: Path, index: PackageIndex) -> None:
    index.add("many", files={f"many/{n}.py": "" for n in range(20_001)})
    assert "20000" in refused(tmp_path, index, "many\n", Reason.DEPENDENCIES_INVALID)


def test_an_index_that_does_not_answer_is_said_plainly(tmp_path: Path) -> None:
    async def go() -> None:
        async with Resolver("http://127.0.0.1:9/simple").wheels(("thing>=1",)):
            pass

    with pytest.raises(Refused) as caught:
        asyncio.run(go())
    assert caught.value.reason is Reason.PACKAGE_INDEX_UNREACHABLE
    assert "'thing>=1'" in caught.value.detail


def test_a_platform_that_fetches_no_packages_says_so(tmp_path: Path) -> None:
    async def go() -> None:
        async with Resolver("none").wheels(()) as wheels:
            assert wheels == ()
        async with Resolver("none").wheels(("thing",)):
            pass

    with pytest.raises(Refused) as caught:
        asyncio.run(go())
    assert caught.value.reason is Reason.DEPENDENCIES_INVALID


def test_resolving_ends_at_its_time_limit() -> None:
    async def go(port: int) -> None:
        async with Resolver(f"http://127.0.0.1:{port}/simple", seconds=1).wheels(("thing",)):
            pass

    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(Refused) as caught:
            asyncio.run(go(silent.getsockname()[1]))
    assert "took longer than 1 s" in caught.value.detail
