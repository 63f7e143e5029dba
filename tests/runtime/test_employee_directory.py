"""The example app, on the real runtime and the real store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runtime_world import World

from sallyport.runtime.call import Target

FOLDER = Path(__file__).parents[2] / "examples" / "employee-directory"
FUNCTIONS = ("get_employee_name", "get_employee", "edit_employee_name", "browse_employees")


async def ask(world: World, function: str, body: bytes = b"", **request: Any) -> tuple[int, Any]:
    target = Target(
        installation_id="installation-1",
        site_id="site-1",
        environment_id="environment-1",
        bundle_dir=FOLDER,
        functions=tuple(f"index.{name}" for name in FUNCTIONS),
    )
    answer = await world.answer(target, function, body=body, request=request)
    assert answer.headers == (("content-type", "application/json"),)
    return answer.status, json.loads(answer.body)


def test_the_directory(with_kvs: Any) -> None:
    async def scenario(world: World) -> None:
        status, body = await ask(world, "get_employee_name", queryParameters={"id": ["1234"]})
        assert (status, body) == (200, {"id": "1234", "name": "Ada Lovelace"})
        status, body = await ask(
            world, "edit_employee_name", b'{"id": "1234", "name": " Ada King "}'
        )
        assert (status, body) == (200, {"id": "1234", "name": "Ada King"})
        status, body = await ask(world, "get_employee", pathParameters={"id": "1234"})
        assert status == 200
        assert body["name"] == "Ada King"
        status, body = await ask(world, "browse_employees", userPath="/department/engineering")
        assert [employee["id"] for employee in body["employees"]] == ["1234", "1235"]
        status, body = await ask(
            world, "browse_employees", userPath="department/engineering/city/london"
        )
        assert [employee["id"] for employee in body["employees"]] == ["1234"]
        assert world.texts("INFO") == [
            "directory: filled a new directory with 5 employees",
            "directory: account account renamed employee 1234",
        ]

    with_kvs(scenario)


def test_what_is_wrong_is_said(with_kvs: Any) -> None:
    async def scenario(world: World) -> None:
        assert (await ask(world, "get_employee_name"))[0] == 400
        for id in ("9999", "x/y", "9" * 600, "٣", ""):
            assert (await ask(world, "get_employee", pathParameters={"id": id}))[0] == 404
        for body in (b"", b"{", b"[]", b'{"id":"1234"}', b'{"id":"1234","name":1}', b"\xff"):
            assert (await ask(world, "edit_employee_name", body))[0] == 400
        assert (await ask(world, "edit_employee_name", b'{"id":"1234","name":" "}'))[0] == 400
        assert (await ask(world, "edit_employee_name", b'{"id":[1],"name":"A"}'))[0] == 404
        for path in ("/department", "/salary/high", "/a/b/c/d"):
            assert (await ask(world, "browse_employees", userPath=path))[0] == 404

    with_kvs(scenario)
