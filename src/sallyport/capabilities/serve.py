"""The door of the capability socket: reads a request, finds its capability, never fails."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from sallyport.capabilities import kvs
from sallyport.capabilities.refused import CapabilityRefused
from sallyport.capabilities.shape import (
    UNREADABLE,
    Ask,
    Reply,
    json_reply,
    read_ask,
    refused_reply,
    write_reply,
)
from sallyport.runtime.running import CapabilityAnswer, RunningCall
from sallyport.store.engine import Store

_log = logging.getLogger(__name__)

Capability = Callable[[RunningCall, Ask], Awaitable[Reply]]


class Capabilities:
    """Answers the capability requests of every worker; `more` are capabilities besides the store.

    `most_bytes` is what one installation may keep in the store.

    docs/reference/capabilities.md describes requests and replies.
    """

    def __init__(
        self,
        store: Store,
        more: Mapping[str, Capability] = {},
        *,
        most_bytes: int = kvs.DEFAULT_QUOTA,
    ) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._capabilities: dict[str, Capability] = {"kvs": self._kvs, **more}

    async def handle(self, running: RunningCall, payload: bytes) -> CapabilityAnswer:
        """The reply to one request of the worker that runs this call.

        Who asks is read from `running`, which the platform made; nothing in the payload can name
        another. Errors are replies too: `{"code", "message"}`.
        """
        marked = True
        try:
            ask = read_ask(payload)
            # The store answers for itself; the others pass on what another server answers.
            marked = ask.capability != "kvs"
            reply = await self._answer(running, ask)
        except CapabilityRefused as refused:
            reply = refused_reply(refused, marked=marked)
        except UNREADABLE:
            unreadable = CapabilityRefused(400, "INVALID_REQUEST", "The request is not readable")
            reply = refused_reply(unreadable, marked=marked)
        except Exception:
            _log.exception(
                "a capability failed", extra={"installation_id": running.installation_id}
            )
            failed = CapabilityRefused(500, "INTERNAL", "The platform failed to answer")
            reply = refused_reply(failed, marked=marked)
        return write_reply(reply)

    async def _answer(self, running: RunningCall, ask: Ask) -> Reply:
        capability = self._capabilities.get(ask.capability)
        if capability is None:
            raise CapabilityRefused(404, "NOT_SUPPORTED", "There is no such capability")
        return await capability(running, ask)

    async def _kvs(self, running: RunningCall, ask: Ask) -> Reply:
        if ask.method != "POST":
            raise CapabilityRefused(405, "NOT_SUPPORTED", "The store is asked with POST")
        answer = await kvs.serve(
            self._store, running.installation_id, ask.path, ask.body, quota=self._most_bytes
        )
        return json_reply(answer)
