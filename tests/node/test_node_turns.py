"""Several calls given to one Node worker at once."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

from node_world import Play, World


def test_quick_calls_share_a_worker_and_leave_it_when_one_is_slow(play: Play) -> None:
    """Seen to fail with calls that stay where they were given (`Worker._look` does nothing)."""

    async def scenario(world: World) -> None:
        app = world.app(
            """
            exports.run = async (request) => {
              console.log('ran', request.body);
              if (request.body === '3') await new Promise((done) => setTimeout(done, 3000));
              return { statusCode: 200, body: { pid: process.pid, body: request.body } };
            };
            """
        )
        target = app.target()
        for _ in range(40):
            await world.answer(target)
        world.lines.clear()
        ended: dict[int, float] = {}

        async def call(n: int) -> dict[str, Any]:
            answer = await world.answer(target, body=str(n).encode())
            ended[n] = time.monotonic()
            seen: dict[str, Any] = json.loads(answer.body)
            return seen

        began = time.monotonic()
        seen = await asyncio.gather(*(call(n) for n in range(20)))
        assert [each["body"] for each in seen] == [str(n) for n in range(20)]
        assert sorted(line.text for line in world.lines) == sorted(f"ran {n}" for n in range(20))
        # A busy machine may take some of them back, for other workers.
        assert Counter(each["pid"] for each in seen).most_common(1)[0][1] > 2
        assert all(at - began < 2.9 for n, at in ended.items() if n != 3)

    play(scenario)
