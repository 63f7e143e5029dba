"""The key-value store's operations as @forge/kvs sends them, on each database."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sallyport.capabilities import kvs
from sallyport.capabilities.kvs_conditions import Filters, matcher_of
from sallyport.capabilities.kvs_entities import _written
from sallyport.capabilities.refused import CapabilityRefused
from sallyport.manifest.stored import to_json
from sallyport.model.manifest import Entity, EntityIndex, Manifest, Runtime
from sallyport.store import versions
from sallyport.store.engine import Store
from sallyport.vocab.clock import DAY, ManualClock

sys.path.insert(0, str(Path(__file__).parent.parent / "store_conformance"))
from registry_world import WithStore, World, install, minor, seed

EMPLOYEE = Entity(
    "employee",
    (("surname", "string"), ("age", "integer"), ("city", "string"), ("active", "boolean")),
    (
        EntityIndex("surname", ("surname",)),
        EntityIndex("by-age", ("age",)),
        EntityIndex("by-city", ("age",), ("city", "active")),
    ),
)
PEOPLE = [
    ("e1", "Davis", 30, "Oslo", True),
    ("e2", "Ding", 25, "Oslo", True),
    ("e3", "Adams", 9, "Rome", True),
    ("e4", "Dav", 100, "Oslo", False),
    ("e5", "Baker", -3, "Oslo", True),
]


class Shop:
    """The store of one installation, asked as @forge/kvs asks."""

    def __init__(self, world: World, installation: str) -> None:
        self.world, self.installation = world, installation
        self.quota = kvs.DEFAULT_QUOTA

    async def ask(self, operation: str, **body: Any) -> Any:
        return await self.raw(operation, {k: v for k, v in body.items() if v is not None})

    async def raw(self, operation: str, body: Any) -> Any:
        data = json.dumps(body).encode()
        answer = await kvs.serve(
            self.world.store, self.installation, f"/api/v1/{operation}", data, quota=self.quota
        )
        return None if answer is None else json.loads(msgspec.json.encode(answer))

    async def code(self, operation: str, **body: Any) -> str:
        with pytest.raises(CapabilityRefused) as refusal:
            await self.ask(operation, **body)
        return refusal.value.code

    async def keys(self, index: str, **asked: Any) -> list[str]:
        answer = await self.ask("entity/query", entityName="employee", indexName=index, **asked)
        return [each["key"] for each in answer["data"]]


async def deploy(world: World, *entities: Entity) -> None:
    manifest = Manifest(None, None, Runtime("python3"), entities=entities)
    await world.store.write(
        versions.add_version,
        world.developer,
        world.development,
        manifest=to_json(manifest),
        bundle="0" * 64,
        tag=None,
        judge=minor,
    )


async def opened(store: Store, *entities: Entity) -> Shop:
    world = await seed(store)
    await deploy(world, *(entities or (EMPLOYEE,)))
    return Shop(world, await install(world))


async def hire(shop: Shop) -> None:
    for key, surname, age, city, active in PEOPLE:
        value = {"surname": surname, "age": age, "city": city, "active": active, "extra": [1]}
        await shop.ask("entity/set", entityName="employee", key=key, value=value)


def equals(property_: str, value: Any) -> dict[str, Any]:
    return {"property": property_, "condition": "EQUAL_TO", "values": [value]}


def test_set_and_get_with_metadata(with_store: WithStore, clock: ManualClock) -> None:
    async def scenario(store: Store) -> None:
        shop = await opened(store)
        fields = ["CREATED_AT", "UPDATED_AT", "EXPIRE_TIME"]
        first = clock.now()
        assert await shop.ask("set", key="a", value={"n": 1}) is None
        clock.advance(7)
        latest = {
            "keyPolicy": "OVERRIDE",
            "returnValue": "LATEST",
            "returnMetadataFields": fields,
            "ttl": {"value": 1, "unit": "DAYS"},
        }
        answer = await shop.ask("set", key="a", value=2, options=latest)
        assert answer.pop("expireTime").endswith("Z")
        assert answer == {"key": "a", "value": 2, "createdAt": first, "updatedAt": first + 7}
        previous = {"keyPolicy": "OVERRIDE", "returnValue": "PREVIOUS"}
        assert await shop.ask("set", key="a", value=3, options=previous) == {"key": "a", "value": 2}
        assert await shop.ask("set", key="b", value=3, options=previous) is None
        found = await shop.ask("get", key="a", options={"metadataFields": fields})
        assert found == {"key": "a", "value": 3, "createdAt": first, "updatedAt": first + 7}
        absent = {"keyPolicy": "FAIL_IF_EXISTS"}
        assert await shop.code("set", key="a", value=4, options=absent) == "KEY_ALREADY_EXISTS"
        assert (await shop.ask("get", key="a"))["value"] == 3
        assert await shop.code("get", key="nope") == "KEY_NOT_FOUND"

    with_store(scenario)


def test_a_time_to_live_ends_and_has_bounds(with_store: WithStore, clock: ManualClock) -> None:
    async def scenario(store: Store) -> None:
        shop = await opened(store)

        def ttl(value: float, unit: str) -> dict[str, Any]:
            return {"ttl": {"value": value, "unit": unit}}

        await shop.ask("set", key="a", value=1, options=ttl(2, "SECONDS"))
        clock.advance(1_999)
        assert (await shop.ask("get", key="a"))["value"] == 1
        clock.advance(1)
        assert await shop.code("get", key="a") == "KEY_NOT_FOUND"
        assert (await shop.ask("query"))["data"] == []
        await shop.ask("set", key="a", value=1, options=ttl(365, "DAYS"))
        for value, unit in ((366, "DAYS"), (0, "DAYS"), (-1, "HOURS"), (1, "YEARS")):
            assert await shop.code("set", key="a", value=1, options=ttl(value, unit)) == (
                "INVALID_TTL"
            )
        clock.advance(365 * DAY)
        assert await shop.code("get", key="a") == "KEY_NOT_FOUND"

    with_store(scenario)


def test_secrets_are_apart(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        shop = await opened(store)
        await shop.ask("secret/set", key="token", value={"s": "hush"})
        assert await shop.code("get", key="token") == "KEY_NOT_FOUND"
        assert (await shop.ask("query"))["data"] == []
        assert (await shop.ask("secret/get", key="token"))["value"] == {"s": "hush"}
        await shop.ask("delete", key="token")
        await shop.ask("secret/get", key="token")
        await shop.ask("secret/delete", key="token")
        assert await shop.code("secret/get", key="token") == "KEY_NOT_FOUND"

    with_store(scenario)


def test_entities_are_asked_for_by_their_indexes(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        shop = await opened(store)
        await hire(shop)
        assert await shop.keys("by-key") == ["e1", "e2", "e3", "e4", "e5"]
        assert await shop.keys("by-age") == ["e5", "e3", "e2", "e1", "e4"]
        assert await shop.keys("by-age", sort="DESC", limit=2) == ["e4", "e1"]
        assert await shop.keys("surname") == ["e3", "e5", "e4", "e1", "e2"]

        async def ages(condition: str, *values: Any) -> list[str]:
            return await shop.keys("by-age", range={"condition": condition, "values": values})

        assert await ages("GREATER_THAN", 25) == ["e1", "e4"]
        assert await ages("GREATER_THAN_EQUAL_TO", 25) == ["e2", "e1", "e4"]
        assert await ages("LESS_THAN", 9) == ["e5"]
        assert await ages("LESS_THAN_EQUAL_TO", 9.0) == ["e5", "e3"]
        assert await ages("EQUAL_TO", 30) == ["e1"]
        assert await ages("BETWEEN", 9, 30) == ["e3", "e2", "e1"]

        async def names(condition: str, *values: Any) -> list[str]:
            return await shop.keys("surname", range={"condition": condition, "values": values})

        assert await names("BEGINS_WITH", "Dav") == ["e4", "e1"]
        assert await names("EQUAL_TO", "Dav") == ["e4"]
        assert await names("GREATER_THAN", "Dav") == ["e1", "e2"]
        assert await names("LESS_THAN_EQUAL_TO", "Dav") == ["e3", "e5", "e4"]
        assert await shop.keys("by-city", partition=["Oslo", True]) == ["e5", "e2", "e1"]
        assert await shop.keys(
            "by-key", range={"condition": "BETWEEN", "values": ["e2", "e4"]}
        ) == ["e2", "e3", "e4"]

        who = {"entityName": "employee"}
        assert await shop.code("entity/query", **who, indexName="no") == "INVALID_INDEX"
        assert await shop.code("entity/query", **who, indexName="by-city") == "INVALID_PARTITION"
        assert await shop.code("entity/query", entityName="x", indexName="no") == "INVALID_ENTITY"
        assert await shop.code("entity/set", entityName="x", key="k", value={}) == "INVALID_ENTITY"
        bad = {"age": "old"}
        assert await shop.code("entity/set", **who, key="k", value=bad) == "INVALID_ENTITY_VALUE"
        assert await shop.code("get", key="e1") == "KEY_NOT_FOUND"

    with_store(scenario)


def test_filters_and_cursors_walk_an_index_without_gap_or_repeat(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        shop = await opened(store)
        for number in range(230):
            value = {"surname": "x", "age": number % 5, "city": "Oslo", "active": True}
            await shop.ask("entity/set", entityName="employee", key=f"k{number:03}", value=value)
        filters = {
            "or": [
                equals("age", 2),
                {"property": "age", "condition": "GREATER_THAN", "values": [3]},
            ]
        }
        for index in ("by-key", "by-age"):
            for sort in ("ASC", "DESC"):
                found: list[str] = []
                cursor = None
                while True:
                    answer = await shop.ask(
                        "entity/query",
                        entityName="employee",
                        indexName=index,
                        filters=filters,
                        sort=sort,
                        cursor=cursor,
                        limit=7,
                    )
                    assert len(answer["data"]) <= 7
                    found += [each["key"] for each in answer["data"]]
                    cursor = answer.get("cursor")
                    if cursor is None:
                        break
                wanted = [f"k{n:03}" for n in range(230) if n % 5 in (2, 4)]
                if index == "by-age":
                    wanted.sort(key=lambda key: (int(key[1:]) % 5, key))
                assert found == (wanted if sort == "ASC" else wanted[::-1])
        other = (
            await shop.ask("entity/query", entityName="employee", indexName="by-age", limit=1)
        )["cursor"]
        assert await shop.code("query", after=other) == "INVALID_CURSOR"

    with_store(scenario)


def test_an_index_of_a_new_version_holds_what_was_there(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        bare = Entity("employee", EMPLOYEE.attributes)
        shop = await opened(store, bare)
        await hire(shop)
        assert (
            await shop.code("entity/query", entityName="employee", indexName="by-age")
            == "INVALID_INDEX"
        )
        await deploy(shop.world, EMPLOYEE)
        answers = await asyncio.gather(*(shop.keys("by-age") for _ in range(4)))
        assert answers == [["e5", "e3", "e2", "e1", "e4"]] * 4

    with_store(scenario)


def test_batches_say_of_each_key_what_became_of_it(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        shop = await opened(store)
        done = await shop.raw(
            "batch/set",
            [
                {"key": "a", "value": 1},
                {"key": "b", "value": "x" * 300_000},
                {"key": "e", "entityName": "employee", "value": {"age": 1}},
                {"key": "f", "entityName": "stranger", "value": {}},
            ],
        )
        assert done["successfulKeys"] == [{"key": "a"}, {"key": "e", "entityName": "employee"}]
        assert [(each["key"], each["error"]["code"]) for each in done["failedKeys"]] == [
            ("b", "MAX_SIZE"),
            ("f", "INVALID_ENTITY"),
        ]
        assert await shop.keys("by-age") == ["e"]
        got = await shop.raw(
            "batch/get", [{"key": "a"}, {"key": "no"}, {"key": "e", "entityName": "employee"}]
        )
        assert got["successfulKeys"] == [
            {"key": "a", "value": 1},
            {"key": "e", "entityName": "employee", "value": {"age": 1}},
        ]
        assert [each["error"]["code"] for each in got["failedKeys"]] == ["KEY_NOT_FOUND"]
        gone = await shop.raw("batch/delete", [{"key": "a"}, {"key": "no"}])
        assert gone == {"successfulKeys": [{"key": "a"}, {"key": "no"}], "failedKeys": []}
        for requests in ([], [{"key": str(n)} for n in range(26)], [{"key": "a"}, {"key": "a"}]):
            with pytest.raises(CapabilityRefused):
                await shop.raw("batch/get", requests)

    with_store(scenario)


def test_a_batch_that_fits_no_reply_says_which_keys_to_get_again(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        shop = await opened(store)
        for number in range(20):
            await shop.ask("set", key=f"k{number:02}", value="x" * 240_000)
        got = await shop.raw("batch/get", [{"key": f"k{number:02}"} for number in range(20)])
        assert [each["key"] for each in got["successfulKeys"]] == [f"k{n:02}" for n in range(17)]
        assert {each["error"]["code"] for each in got["failedKeys"]} == {"MAX_SIZE"}
        page = await shop.ask("query", limit=100)
        assert len(page["data"]) == 17
        assert len((await shop.ask("query", limit=100, after=page["cursor"]))["data"]) == 3

    with_store(scenario)


def test_transactions_check_and_do_everything_or_nothing(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        shop = await opened(store)
        await hire(shop)
        is_oslo = {"and": [equals("city", "Oslo")]}
        await shop.ask(
            "transaction",
            set=[{"key": "a", "value": 1}, {"key": "e9", "entityName": "employee", "value": {}}],
            delete=[{"key": "e2", "entityName": "employee", "conditions": is_oslo}],
            check=[{"key": "e1", "entityName": "employee", "conditions": is_oslo}],
        )
        assert await shop.keys("by-key") == ["e1", "e3", "e4", "e5", "e9"]
        refused = {
            "set": [{"key": "b", "value": 1}],
            "check": [{"key": "e3", "entityName": "employee", "conditions": is_oslo}],
        }
        assert await shop.code("transaction", **refused) == "CONDITION_NOT_MET"
        assert await shop.code("get", key="b") == "KEY_NOT_FOUND"
        absent = {"and": [{"property": "age", "condition": "NOT_EXISTS", "values": [True]}]}
        new = {"key": "e6", "entityName": "employee", "value": {"age": 1}, "conditions": absent}
        await shop.ask("transaction", set=[new])
        assert await shop.code("transaction", set=[new]) == "CONDITION_NOT_MET"
        many = [{"key": str(n), "value": n} for n in range(26)]
        assert await shop.code("transaction", set=many) == "INVALID_REQUEST"
        assert await shop.code("transaction", set=many[:1], delete=[{"key": "0"}]) == (
            "INVALID_REQUEST"
        )
        await shop.ask("transaction", set=many[:25])
        large = [{"key": str(n), "value": "x" * 230_000} for n in range(20)]
        assert await shop.code("transaction", set=large) == "MAX_SIZE"

    with_store(scenario)


def test_a_full_store_takes_no_more(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        shop = await opened(store)
        shop.quota = 1_000
        await shop.ask("set", key="a", value="x" * 900)
        assert await shop.code("set", key="b", value="x" * 100) == "QUOTA_EXCEEDED"
        failed = (await shop.raw("batch/set", [{"key": "b", "value": "x" * 100}]))["failedKeys"]
        assert failed[0]["error"]["code"] == "QUOTA_EXCEEDED"
        await shop.ask("set", key="a", value="x")
        await shop.ask("set", key="b", value="x" * 100)

    with_store(scenario)


def test_unknown_members_are_refused_and_codes_are_those_of_the_contract(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        shop = await opened(store)
        where = {"property": "key", "condition": "BEGINS_WITH", "values": ["a"]}
        for code, operation, body in (
            ("INVALID_REQUEST", "get", {"key": "a", "tenant": "other"}),
            ("INVALID_REQUEST", "get", {"key": "a", "entityName": "employee"}),
            ("INVALID_REQUEST", "entity/get", {"key": "a"}),
            ("INVALID_REQUEST", "set", {"key": "a", "value": 1, "options": {"ttl": 5}}),
            ("KEY_TOO_SHORT", "get", {"key": ""}),
            ("KEY_TOO_LONG", "get", {"key": "k" * 501}),
            ("INVALID_KEY", "get", {"key": "a/b"}),
            ("LIST_QUERY_LIMIT_EXCEEDED", "query", {"limit": 101}),
            ("QUERY_WHERE_INVALID", "query", {"where": [where, where]}),
            ("QUERY_WHERE_FIELD_INVALID", "query", {"where": [{**where, "property": "value"}]}),
            ("INVALID_FILTER_CONDITION", "query", {"where": [{**where, "condition": "LIKE"}]}),
            ("INVALID_FILTER_VALUES", "query", {"where": [{**where, "values": [1]}]}),
            ("NOT_SUPPORTED", "drop", {}),
        ):
            assert await shop.code(operation, **body) == code, operation

    with_store(scenario)


@pytest.mark.parametrize(
    ("condition", "values", "holds"),
    [
        ("EQUAL_TO", [5], True),
        ("EQUAL_TO", [True], False),
        ("EQUAL_TO", ["5"], False),
        ("NOT_EQUAL_TO", [6], True),
        ("EXISTS", [True], True),
        ("NOT_EXISTS", [True], False),
        ("BETWEEN", [5, 6], True),
        ("BETWEEN", [6, 7], False),
        ("GREATER_THAN", [5], False),
        ("GREATER_THAN_EQUAL_TO", [5], True),
        ("LESS_THAN", ["9"], False),
        ("CONTAINS", ["5"], False),
        ("NOT_CONTAINS", ["5"], True),
        ("BEGINS_WITH", ["5"], False),
    ],
)
def test_a_condition_holds(condition: str, values: list[Any], holds: bool) -> None:
    each = {"property": "n", "condition": condition, "values": values}
    assert matcher_of(msgspec.convert({"and": [each]}, Filters))({"n": 5}) is holds


def test_written_places_sort_as_their_values() -> None:
    numbers = [float("-inf"), -1e300, -5, -1, -0.5, 0, 1e-9, 0.5, 1, 5, 2**60, 1e300, 10**400]
    assert sorted(_written(each) for each in numbers) == [_written(each) for each in numbers]
    assert _written(-0.0) == _written(0)
    texts = [
        "",
        "\x00",
        "\x00a",
        "\x01",
        "\x02",
        "\x03",
        "a",
        "a\x00",
        "a\x01",
        "aa",
        "b",
        "é",
        "😀",
    ]
    assert sorted(_written(each) + "\x01" for each in texts) == [
        _written(each) + "\x01" for each in texts
    ]
