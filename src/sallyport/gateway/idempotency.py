"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07): the same request runs once.

A key belongs to one integration, account, installation and route, so nobody meets another's. It is
looked at behind all other gates: an answer is given again only to whom it would be given now.
docs/reference/gateway.md says what callers see.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final, cast

from sallyport.gateway import refuse
from sallyport.gateway.call import Call
from sallyport.observe.metrics import IDEMPOTENT_CALLS
from sallyport.runtime.call import Answer, Failure, FailureKind, Outcome
from sallyport.store import idempotency as keys
from sallyport.store.engine import Store
from sallyport.vocab.clock import DAY, MINUTE
from sallyport.vocab.errors import Refused

METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
LONGEST_KEY: Final = 255
KEPT_FOR: Final = DAY

# After the time that a call may wait and run, nobody can still be running it.
_LEASE_MARGIN: Final = MINUTE

_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"', re.ASCII)
_BARE = re.compile(r"[A-Za-z0-9!#$%&'*+./:=^_`|~-]+", re.ASCII)

# Nothing of the handler ran, so the next try is the first.
_NEVER_BEGAN: Final = frozenset({"busy", "no_sandbox", "import_error", "stale"})

_log = logging.getLogger(__name__)


def read_key(call: Call) -> str | None:
    """The key of a call whose method may have effects; None without one. Raises `Refused`.

    A structured string (RFC 9651 section 3.3.3), or the same characters without quotes.
    """
    if call.method not in METHODS:
        return None
    values = call.header_values("idempotency-key")
    if not values:
        return None
    if len(values) == 1:
        quoted, bare = _QUOTED.fullmatch(values[0]), _BARE.fullmatch(values[0])
        key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else values[0] if bare else ""
        if 1 <= len(key) <= LONGEST_KEY:
            return key
    raise refuse.idempotency_key_invalid(LONGEST_KEY)


class Idempotency:
    """Runs calls under their keys. `owner` names this process across restarts.

    `waits_ms` is the longest that a call waits for a worker. Each installation keeps `most_keys`
    keys and `most_bytes` of answers.
    """

    def __init__(
        self, store: Store, owner: str, *, waits_ms: int, most_keys: int, most_bytes: int
    ) -> None:
        self._store = store
        self._owner = owner
        self._waits_ms = waits_ms
        self._most_keys = most_keys
        self._most_bytes = most_bytes

    async def once(
        self, call: Call, body: bytes, timeout_ms: int, run: Callable[[], Awaitable[Outcome]]
    ) -> Outcome:
        """Run a decided call that has a key, or give what it was answered before.

        Raises `Refused` where there is no such answer, and what `run` raises.
        """
        claim = self._claim(call, body, timeout_ms)
        call.gate, call.spared = "idempotency", True
        standing = await self._store.write(keys.claim_key, claim, most=self._most_keys)
        IDEMPOTENT_CALLS.labels(type(standing).__name__.lower()).inc()
        match standing:
            case keys.Claimed():
                call.gate, call.spared = "function", False
                return await self._run(claim, run)
            case keys.KeptAnswer(status, headers, kept):
                call.replayed = True
                return Answer(status, headers, kept, 0)
            case keys.KeptFailure(kind):
                call.gate, call.replayed = "function", True
                # The kind came out of a `Failure`.
                return Failure(cast(FailureKind, kind), "the run under this key failed", 0)
            case keys.Running():
                raise refuse.idempotency_running()
            case keys.OtherRequest():
                raise refuse.idempotency_key_reused()
            case keys.Interrupted():
                raise refuse.idempotency_interrupted()
            case keys.Unkept(status):
                raise refuse.idempotency_unkept(status)
            case keys.Full():
                raise refuse.idempotency_full(self._most_keys)

    async def _run(self, claim: keys.Claim, run: Callable[[], Awaitable[Outcome]]) -> Outcome:
        try:
            outcome = await run()
        except Refused:
            # It was refused before it began.
            await self._store.write(keys.release_key, claim)
            raise
        except Exception:
            await self._store.write(keys.interrupt_key, claim)
            raise
        try:
            if isinstance(outcome, Answer):
                kept = keys.KeptAnswer(outcome.status, outcome.headers, outcome.body)
                await self._store.write(keys.settle_key, claim, kept, most_bytes=self._most_bytes)
            elif outcome.kind in _NEVER_BEGAN:
                await self._store.write(keys.release_key, claim)
            else:
                failed = keys.KeptFailure(outcome.kind)
                await self._store.write(keys.settle_key, claim, failed, most_bytes=self._most_bytes)
        except Exception:
            # The function ran, so its caller gets the answer; a second try is told of no more than
            # an interrupted run.
            _log.exception("could not keep an answer under its idempotency key")
        return outcome

    def _claim(self, call: Call, body: bytes, timeout_ms: int) -> keys.Claim:
        assert call.grant is not None
        assert call.installed is not None
        assert call.found is not None
        assert call.address is not None
        assert call.idempotency_key is not None
        installation_id = call.installed.installation.id
        now = self._store.clock.now()
        return keys.Claim(
            digest=_digest(
                call.grant.client_id,
                call.grant.account_id,
                installation_id,
                call.found.route.key,
                call.idempotency_key,
            ),
            installation_id=installation_id,
            fingerprint=_digest(
                call.method,
                call.address.app_path,
                call.query,
                *call.header_values("content-type"),
                body,
            ),
            owner=self._owner,
            lease_until=now + self._waits_ms + timeout_ms + _LEASE_MARGIN,
            expires_at=now + KEPT_FOR,
        )


def _digest(*parts: str | bytes) -> str:
    """SHA-256 of the parts, each with its length, so that none runs into the next."""
    made = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        made.update(len(data).to_bytes(8, "big"))
        made.update(data)
    return made.hexdigest()
