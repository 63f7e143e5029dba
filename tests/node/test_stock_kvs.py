"""All that the stock @forge/kvs can ask, unmodified, against the real store."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from node_world import Bundled, Play, World, built

from sallyport.capabilities.serve import Capabilities
from sallyport.manifest.stored import to_json
from sallyport.model.manifest import Entity, EntityIndex, Manifest, Runtime
from sallyport.store import versions
from sallyport.store.engine import open_store
from sallyport.store.migrations import migrate
from sallyport.store.seal import Sealer
from sallyport.vocab.clock import SystemClock

sys.path.insert(0, str(Path(__file__).parent.parent / "store_conformance"))
from registry_world import install, minor, seed

EMPLOYEE = Entity(
    "employee",
    (("surname", "string"), ("age", "integer"), ("city", "string")),
    (EntityIndex("surname", ("surname",)), EntityIndex("by-city", ("age",), ("city",))),
)

SOURCE = """
import { kvs, Filter, FilterConditions, MetadataField, Sort, WhereConditions } from '@forge/kvs';

const all = [MetadataField.CREATED_AT, MetadataField.UPDATED_AT, MetadataField.EXPIRE_TIME];
const code = async (doing: Promise<any>) => {
  try { return ['no error', await doing]; } catch (e: any) { return [e.name, e.code]; }
};

export const plain = async () => {
  const out: any = {};
  await kvs.set('a', { n: 1 });
  const found: any = await kvs.get('a', { metadataFields: all });
  out.types = Object.values(found).map((each) => typeof each);
  out.previous = await kvs.set('a', 2, { keyPolicy: 'OVERRIDE', returnValue: 'PREVIOUS' });
  const latest: any = await kvs.set('a', 3, {
    keyPolicy: 'OVERRIDE', returnValue: 'LATEST', returnMetadataFields: all,
    ttl: { value: 2, unit: 'HOURS' },
  });
  out.lasts = Math.round((Date.parse(latest.expireTime) - latest.updatedAt) / 1000);
  const options: any = { keyPolicy: 'OVERRIDE', returnValue: 'PREVIOUS' };
  out.none = await kvs.set('fresh', 1, options) ?? 'none';
  out.exists = await code(kvs.set('a', 4, { keyPolicy: 'FAIL_IF_EXISTS' }));
  out.a = await kvs.get('a');
  await kvs.delete('nothing');
  for (const n of [1, 2, 3]) await kvs.set(`page:${n}`, n);
  const pages = WhereConditions.beginsWith('page:');
  const first = await kvs.query().where('key', pages).limit(2).getMany();
  const rest = await kvs.query().where('key', pages).cursor(first.nextCursor!).getMany();
  out.pages = [first.results, rest.results, rest.nextCursor ?? 'end'];
  out.one = await kvs.query().where('key', WhereConditions.beginsWith('page:')).getOne();
  out.set = await kvs.batchSet([{ key: 'x', value: 1 }, { key: 'b/d', value: 2 }]);
  out.got = await kvs.batchGet([{ key: 'x' }, { key: 'y' }]);
  out.deleted = await kvs.batchDelete([{ key: 'x' }]);
  out.bad = [await code(kvs.get('b/d')), await code(kvs.query().limit(1000).getMany())];
  await kvs.setSecret('s', { hush: 1 });
  out.secret = [await kvs.getSecret('s'), await kvs.get('s') ?? 'apart'];
  await kvs.deleteSecret('s');
  out.secretGone = await kvs.getSecret('s') ?? 'gone';
  return { statusCode: 200, body: JSON.stringify(out) };
};

type Employee = { surname: string; age: number; city: string };

export const entities = async () => {
  const out: any = {};
  const people = kvs.entity<Employee>('employee');
  const staff: [string, string, number, string][] = [
    ['e1', 'Davis', 30, 'Oslo'], ['e2', 'Ding', 9, 'Oslo'], ['e3', 'Adams', 100, 'Rome'],
  ];
  for (const [key, surname, age, city] of staff) await people.set(key, { surname, age, city });
  const keys = (found: any) => found.results.map((each: any) => each.key);
  out.get = await people.get('e1');
  out.byKey = keys(await people.query().index('by-key').getMany());
  out.surname = keys(await people.query().index('surname').sort(Sort.DESC).getMany());
  out.where = keys(await people.query().index('surname')
    .where(WhereConditions.beginsWith('D')).getMany());
  out.partition = keys(await people.query().index('by-city', { partition: ['Oslo'] })
    .where(WhereConditions.greaterThan(1)).getMany());
  out.and = keys(await people.query().index('by-key').filters(
    new Filter<Employee>().and('age', FilterConditions.greaterThan(10))
      .and('city', FilterConditions.equalTo('Oslo'))).getMany());
  out.or = keys(await people.query().index('by-key').filters(
    new Filter<Employee>().or('age', FilterConditions.lessThan(10))
      .or('city', FilterConditions.contains('om'))).getMany());
  const one = await people.query().index('surname').limit(1).getMany();
  out.next = keys(await people.query().index('surname').cursor(one.nextCursor!).getMany());
  const oslo = new Filter<Employee>().and('city', FilterConditions.equalTo('Oslo'));
  await kvs.transact()
    .set('count', 1)
    .set('e4', { surname: 'New', age: 1, city: 'Oslo' }, { entityName: 'employee' })
    .delete('e2', { entityName: 'employee', conditions: oslo })
    .check('e1', { entityName: 'employee', conditions: oslo })
    .execute();
  out.after = keys(await people.query().index('by-city', { partition: ['Oslo'] }).getMany());
  out.refused = await code(kvs.transact().set('count', 2)
    .check('e3', { entityName: 'employee', conditions: oslo }).execute());
  out.count = await kvs.get('count');
  out.unknown = await code(kvs.entity('stranger').get('a'));
  await people.delete('e1');
  out.gone = await people.get('e1') ?? 'gone';
  return { statusCode: 200, body: JSON.stringify(out) };
};
"""


@pytest.fixture(scope="module")
def stock(packages: Path) -> Bundled:
    return built(packages, {"src/index.ts": SOURCE}, "plain", "entities")


def ask(tmp_path: Path, play: Play, stock: Bundled, function: str) -> Any:
    store = open_store(f"sqlite:///{tmp_path}/kv.db", SystemClock(), Sealer(bytes(32)))
    found: list[Any] = []

    async def scenario(world: World) -> None:
        try:
            await migrate(store)
            registry = await seed(store)
            manifest = Manifest(None, None, Runtime("nodejs20.x"), entities=(EMPLOYEE,))
            await store.write(
                versions.add_version,
                registry.developer,
                registry.development,
                manifest=to_json(manifest),
                bundle="0" * 64,
                tag=None,
                judge=minor,
            )
            answer = await world.answer(stock.target(await install(registry)), function)
            found.append(json.loads(answer.body))
        finally:
            await store.close()

    play(scenario, Capabilities(store).handle)
    return found[0]


def test_plain_values_secrets_and_batches(tmp_path: Path, play: Play, stock: Bundled) -> None:
    out = ask(tmp_path, play, stock, "plain")
    assert out["types"] == ["string", "object", "number", "number", "undefined"]
    assert out["previous"] == {"key": "a", "value": {"n": 1}}
    assert out["lasts"] == 7200
    assert out["none"] == "none"
    assert out["exists"] == ["ForgeKvsError", "KEY_ALREADY_EXISTS"]
    assert out["a"] == 3
    assert out["pages"] == [
        [{"key": "page:1", "value": 1}, {"key": "page:2", "value": 2}],
        [{"key": "page:3", "value": 3}],
        "end",
    ]
    assert out["one"] == {"key": "page:1", "value": 1}
    assert out["set"]["successfulKeys"] == [{"key": "x"}]
    assert out["set"]["failedKeys"][0]["error"]["code"] == "INVALID_KEY"
    assert out["got"]["successfulKeys"] == [{"key": "x", "value": 1}]
    assert out["got"]["failedKeys"][0]["error"]["code"] == "KEY_NOT_FOUND"
    assert out["deleted"] == {"successfulKeys": [{"key": "x"}], "failedKeys": []}
    assert [each[1] for each in out["bad"]] == ["INVALID_KEY", "LIST_QUERY_LIMIT_EXCEEDED"]
    assert out["secret"] == [{"hush": 1}, "apart"]
    assert out["secretGone"] == "gone"


def test_entities_and_transactions(tmp_path: Path, play: Play, stock: Bundled) -> None:
    out = ask(tmp_path, play, stock, "entities")
    assert out == {
        "get": {"surname": "Davis", "age": 30, "city": "Oslo"},
        "byKey": ["e1", "e2", "e3"],
        "surname": ["e2", "e1", "e3"],
        "where": ["e1", "e2"],
        "partition": ["e2", "e1"],
        "and": ["e1"],
        "or": ["e2", "e3"],
        "next": ["e1", "e2"],
        "after": ["e4", "e1"],
        "refused": ["ForgeKvsError", "CONDITION_NOT_MET"],
        "count": 1,
        "unknown": ["ForgeKvsError", "INVALID_ENTITY"],
        "gone": "gone",
    }
