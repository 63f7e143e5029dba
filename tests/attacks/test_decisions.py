"""T-CACHE: ten thousand decisions among changes, each as an oracle without a cache decides it.

Planted bugs that these tests were seen to fail on: no fact dropped for a change of SWITCH, of
GRANT, of FAMILY, of INTEGRATION, of MEMBERSHIP, of ACCOUNT, of VERSION or of INSTALLATION; scopes
remembered by token; the site of the grant not looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from pathlib import Path

from access_world import seed
from decision_world import History
from sallyport.gateway.call import Call
from sallyport.gateway.identity import ACCOUNT_HEADER
from sallyport.store.engine import Store, open_store
from sallyport.store.migrations import migrate
from sallyport.store.seal import Sealer
from sallyport.tokens.keys import open_keys
from sallyport.vocab.clock import ManualClock
from sallyport.vocab.errors import Refused

DECISIONS = 10_000
SEEDS = (1, 2, 3, 4)


async def run(store: Store, seed_number: int, decisions: int) -> Counter[str]:
    """Decide and compare; how often each reason came."""
    await migrate(store)
    world = await seed(store)
    keys = await open_keys(store)
    history = History(world, keys, seed_number)
    await history.begin()
    truth = await history.truth()
    seen: Counter[str] = Counter()
    for number in range(decisions):
        if history.choose.random() < 0.15:
            # What cannot be done in this state is no change.
            with contextlib.suppress(Refused):
                await history.choose.choice(history.changes)()
            truth = await history.truth()
        asked = history.ask()
        expected, key = truth.expect(asked)
        decided = await history.gateway.decide(asked)
        found = decided.reason.code if isinstance(decided, Refused) else ""
        assert found == expected, (seed_number, number, asked)
        seen[found or "allowed"] += 1
        if isinstance(decided, Call):
            assert asked.token is not None
            assert decided.found is not None
            assert decided.found.route.key == key
            assert decided.request["headers"][ACCOUNT_HEADER] == [asked.token.account_id]
            assert decided.context["accountId"] == asked.token.account_id
            assert decided.context["cloudId"] == asked.site_id
            assert set(decided.context["scopes"]) <= asked.token.scopes
    assert len(history.gateway.facts) <= 60
    return seen


def test_decisions_among_changes_agree_with_an_oracle(tmp_path: Path) -> None:
    async def scenario(seed_number: int) -> Counter[str]:
        clock, sealer = ManualClock(), Sealer(bytes(32))
        store = open_store(f"sqlite:///{tmp_path}/{seed_number}.db", clock, sealer)
        try:
            return await run(store, seed_number, DECISIONS // len(SEEDS))
        finally:
            await store.close()

    seen: Counter[str] = Counter()
    for seed_number in SEEDS:
        seen += asyncio.run(scenario(seed_number))
    assert seen.total() == DECISIONS
    assert seen["allowed"] > DECISIONS // 20
    for reason in (
        *("path_not_canonical", "product_unknown", "app_not_installed", "route_unknown"),
        *("method_not_allowed", "token_invalid", "token_expired", "token_for_other_app"),
        *("rest_apis_off", "token_revoked", "grant_revoked", "token_for_other_site"),
        *("integration_unlinked", "membership_ended", "scope_missing", "product_scope_missing"),
    ):
        assert seen[reason] > 10, (reason, seen)
