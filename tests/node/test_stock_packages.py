"""The stock npm packages @forge/api and @forge/kvs, unmodified, on our two globals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from node_world import CONTEXT, Bundled, Play, World, built
from sqlalchemy import insert

from sallyport.capabilities.serve import Capabilities
from sallyport.capabilities.shape import Ask, Reply, json_reply
from sallyport.runtime.running import RunningCall
from sallyport.store import schema as tables
from sallyport.store.engine import Tx, open_store
from sallyport.store.migrations import migrate
from sallyport.store.seal import Sealer
from sallyport.vocab.clock import SystemClock

SOURCE = """
import api, {
  asApp, asUser, fetch as apiFetch, getAppContext, invokeRemote, route,
} from '@forge/api';
import { kvs, MetadataField, WhereConditions } from '@forge/kvs';

const ok = (body: unknown) => ({ statusCode: 200, body: JSON.stringify(body) });
const shown = async (response: Response) => ({
  status: response.status,
  type: response.headers.get('content-type'),
  body: await response.json(),
});

export const app = async () => {
  const id = 'A/../B 1'.slice(0, 1);
  const jira = await api.asApp().requestJira(route`/rest/api/3/issue/${id}?expand=${'names'}`);
  const made = await asApp().requestConfluence(route`/wiki/api/v2/pages`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-One': '1' },
    body: JSON.stringify({ title: 'Page' }),
  });
  return ok([await shown(jira), await shown(made)]);
};

export const user = async () => {
  await asUser().requestJira(route`/rest/api/3/myself`);
  await asUser('account-9').requestJira(route`/rest/api/3/myself`);
  return ok(null);
};

export const refused = async () => {
  try {
    await asUser('account-9').requestJira(route`/refused`);
    return ok('not refused');
  } catch (error: any) {
    return ok([error.name ?? error.constructor.name, error.message, error.status]);
  }
};

export const unsafe = async () => {
  try {
    await asApp().requestJira(route`/rest/${'../secret'}`);
    return ok('not refused');
  } catch (error: any) {
    return ok(error.message);
  }
};

export const context = async () => {
  const found = getAppContext();
  return ok({ ...found, remaining: found.invocationRemainingTimeInMillis() });
};

export const aborted = async () => {
  try {
    await fetch('https://slow.example.com/', { signal: AbortSignal.timeout(50) });
    return ok('not aborted');
  } catch (error: any) {
    return ok(error.name);
  }
};

export const others = async () => {
  const all = [
    () => invokeRemote('backend', { path: '/x', method: 'GET' }),
    () => api.requestJira(route`/rest/api/3/myself`),
  ];
  const said = [];
  for (const each of all) said.push(await each().catch((error: any) => error.message));
  return ok(said);
};

export const more = async () => {
  const batch = await kvs.batchSet([{ key: 'b1', value: 1 }, { key: 'b2', value: 2 }]);
  await kvs.set('once', 1, { keyPolicy: 'FAIL_IF_EXISTS' });
  const twice = kvs.set('once', 2, { keyPolicy: 'FAIL_IF_EXISTS' });
  const again = await twice.catch((error) => error.code);
  await kvs.set('soon', 1, { ttl: { value: 1, unit: 'HOURS' } });
  const times = await kvs.get('soon', {
    metadataFields: [MetadataField.CREATED_AT, MetadataField.EXPIRE_TIME],
  });
  return ok({ done: batch.successfulKeys.length, again, fields: Object.keys(times as any).sort() });
};

export const outside = async () => {
  const got = await fetch('https://api.example.com/v1?x=1', { headers: { 'x-a': 'b' } });
  const posted = await apiFetch('https://api.example.com/v1', {
    method: 'POST',
    body: new URLSearchParams({ a: 'b c' }),
  });
  const failed = await fetch('https://elsewhere.example/').catch((error) => error);
  return ok([await shown(got), got.url, await shown(posted),
             [failed.name, failed.status, failed.message]]);
};

export const store = async () => {
  const before = await kvs.get('greeting');
  await kvs.set('greeting', { text: 'hello' });
  await kvs.set('greeting:2', 2);
  await kvs.setSecret('token', 's3cret');
  const secret = await kvs.getSecret('token');
  const beginning = WhereConditions.beginsWith('greeting');
  const page = await kvs.query().where('key', beginning).limit(10).getMany();
  await kvs.transact().set('a', 1).delete('greeting:2').execute();
  let problem;
  try {
    await kvs.set('large', 'x'.repeat(300_000));
  } catch (error: any) {
    problem = [error.name, error.code];
  }
  return ok({
    before,
    after: await kvs.get('greeting'),
    gone: await kvs.get('greeting:2'),
    secret,
    keys: page.results.map((each: any) => each.key),
    problem,
  });
};
"""
FUNCTIONS = (
    "aborted",
    "app",
    "context",
    "more",
    "others",
    "outside",
    "refused",
    "store",
    "unsafe",
    "user",
)
INSTALLATIONS = ("installation-1", "installation-2")


@pytest.fixture(scope="module")
def stock(packages: Path) -> Bundled:
    return built(packages, {"src/index.ts": SOURCE}, *FUNCTIONS)


class Outside:
    """Answers the product and fetch capabilities, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[RunningCall, Ask]] = []

    async def product(self, running: RunningCall, ask: Ask) -> Reply:
        self.asked.append((running, ask))
        if ask.path == "/refused":
            headers = (("forge-proxy-error", "IMPERSONATION_NOT_ALLOWED"),)
            return Reply(403, headers, b"{}")
        return json_reply({"path": ask.path, "sent": ask.body.decode()}, 200)

    async def fetch(self, running: RunningCall, ask: Ask) -> Reply:
        self.asked.append((running, ask))
        if "slow" in ask.path:
            await asyncio.sleep(30)
        if "elsewhere" in ask.path:
            code = "REQUEST_EGRESS_ALLOWLIST_ERR"
            made = json_reply({"code": code, "message": f"URL not allowed: {ask.path}."}, 403)
            return Reply(403, (*made.headers, ("forge-proxy-error", code)), made.body)
        return json_reply({"method": ask.method, "sent": ask.body.decode()}, 200)


@pytest.fixture
def with_platform(tmp_path: Path, play: Play) -> Callable[..., None]:
    """Plays a scenario with a real store, and `Outside` in place of other servers."""

    def run(scenario: Any) -> None:
        store = open_store(f"sqlite:///{tmp_path}/kv.db", SystemClock(), Sealer(bytes(32)))
        outside = Outside()

        async def go(world: World) -> None:
            try:
                await migrate(store)
                await store.write(_installations)
                await scenario(world, outside)
            finally:
                await store.close()

        more = {"product": outside.product, "fetch": outside.fetch}
        play(go, Capabilities(store, more).handle)

    return run


async def ask(
    world: World, app: Bundled, function: str, installation: str = "installation-1"
) -> Any:
    answer = await world.answer(app.target(installation), function)
    return json.loads(answer.body)


def test_as_app(with_platform: Any, stock: Bundled) -> None:
    async def scenario(world: World, outside: Outside) -> None:
        jira, made = await ask(world, stock, "app")
        assert jira["status"] == 200
        assert jira["type"] == "application/json"
        assert jira["body"] == {"path": "/rest/api/3/issue/A?expand=names", "sent": ""}
        assert made["body"] == {"path": "/wiki/api/v2/pages", "sent": '{"title":"Page"}'}
        (_, first), (_, second) = outside.asked
        assert (first.method, dict(first.options)) == ("GET", {"product": "jira", "as": "app"})
        assert (second.method, dict(second.options)) == (
            "POST",
            {"product": "confluence", "as": "app"},
        )
        assert ("x-one", "1") in second.headers
        assert ("content-type", "application/json") in second.headers

    with_platform(scenario)


def test_as_user_with_and_without_an_id(with_platform: Any, stock: Bundled) -> None:
    async def scenario(world: World, outside: Outside) -> None:
        await ask(world, stock, "user")
        (running, first), (_, second) = outside.asked
        assert running.account_id == "account-1"
        assert dict(first.options) == {"product": "jira", "as": "user"}
        assert dict(second.options) == {"product": "jira", "as": "user", "accountId": "account-9"}
        name, message, status = await ask(world, stock, "refused")
        assert "IMPERSONATION_NOT_ALLOWED" in f"{name} {message}"
        assert status == 403

    with_platform(scenario)


def test_routes_are_safe(with_platform: Any, stock: Bundled) -> None:
    async def scenario(world: World, outside: Outside) -> None:
        assert "path" in (await ask(world, stock, "unsafe")).lower()
        assert outside.asked == []

    with_platform(scenario)


def test_the_app_context(with_platform: Any, stock: Bundled) -> None:
    async def scenario(world: World, _outside: Outside) -> None:
        found = await ask(world, stock, "context")
        assert found["appAri"] == f"ari:cloud:ecosystem::app/{CONTEXT['appId']}"
        assert found["appVersion"] == "1.1"
        assert found["environmentAri"] == (
            f"ari:cloud:ecosystem::environment/{CONTEXT['appId']}/{CONTEXT['environmentId']}"
        )
        assert found["environmentType"] == "DEVELOPMENT"
        assert found["installationAri"] == "ari:cloud:ecosystem::installation/installation-1"
        assert found["moduleKey"] == "route"
        assert found["permissions"]["scopes"] == ["read:jira-work"]
        assert len(found["invocationId"]) == 36
        assert 0 < found["remaining"] <= 10_000

    with_platform(scenario)


def test_fetch(with_platform: Any, stock: Bundled) -> None:
    async def scenario(world: World, outside: Outside) -> None:
        got, url, posted, failed = await ask(world, stock, "outside")
        assert (got["status"], got["body"]) == (200, {"method": "GET", "sent": ""})
        assert url == "https://api.example.com/v1?x=1"
        assert posted["body"] == {"method": "POST", "sent": "a=b+c"}
        assert failed == [
            "REQUEST_EGRESS_ALLOWLIST_ERR",
            403,
            "URL not allowed: https://elsewhere.example/.",
        ]
        asked = [each for _, each in outside.asked]
        assert [each.path for each in asked[:2]] == [
            "https://api.example.com/v1?x=1",
            "https://api.example.com/v1",
        ]
        assert ("x-a", "b") in asked[0].headers
        assert dict(asked[0].options) == {"redirect": "follow"}
        types = [value for name, value in asked[1].headers if name == "content-type"]
        assert types == ["application/x-www-form-urlencoded;charset=UTF-8"]

    with_platform(scenario)


def test_the_key_value_store(with_platform: Any, stock: Bundled) -> None:
    async def scenario(world: World, _outside: Outside) -> None:
        for installation in INSTALLATIONS:
            assert await ask(world, stock, "store", installation) == {
                "after": {"text": "hello"},
                "secret": "s3cret",
                "keys": ["greeting", "greeting:2"],
                "problem": ["ForgeKvsError", "MAX_SIZE"],
            }
        # What one installation keeps, the other has not.
        found = await ask(world, stock, "store", INSTALLATIONS[0])
        assert found["before"] == {"text": "hello"}

    with_platform(scenario)


def test_a_fetch_can_be_aborted(with_platform: Any, stock: Bundled) -> None:
    async def scenario(world: World, _outside: Outside) -> None:
        assert await ask(world, stock, "aborted") == "TimeoutError"

    with_platform(scenario)


def test_what_is_not_there_says_so(with_platform: Any, stock: Bundled) -> None:
    async def scenario(world: World, _outside: Outside) -> None:
        assert await ask(world, stock, "others") == [
            "Sallyport has no 'frc' for apps to call",
            "Say who calls the product: asApp() or asUser()",
        ]

    with_platform(scenario)


def test_the_key_value_stores_options(with_platform: Any, stock: Bundled) -> None:
    async def scenario(world: World, _outside: Outside) -> None:
        found = await ask(world, stock, "more")
        assert found["done"] == 2
        assert found["again"] == "KEY_ALREADY_EXISTS"
        assert set(found["fields"]) >= {"createdAt", "expireTime", "value"}

    with_platform(scenario)


async def _installations(tx: Tx) -> None:
    await tx.run(insert(tables.organization).values(id="o", name="o", created_at=0))
    for product in ("one", "two"):
        await tx.run(insert(tables.product).values(key=product, name=product))
    await tx.run(
        insert(tables.site).values(
            id="s", organization_id="o", host="s.test", name="s", created_at=0
        )
    )
    await tx.run(insert(tables.app).values(id="a", name="a", created_at=0))
    await tx.run(
        insert(tables.environment).values(id="e", app_id="a", key="development", created_at=0)
    )
    for id, product in zip(INSTALLATIONS, ("one", "two"), strict=True):
        await tx.run(
            insert(tables.installation).values(
                id=id, site_id="s", environment_id="e", product=product, major=1, created_at=0
            )
        )
