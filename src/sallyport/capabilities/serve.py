"""The door of the capabilities: a request's bytes to the capability that it names."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from sallyport.capabilities import kvs
from sallyport.capabilities.refused import CapabilityRefused
from sallyport.store.engine import Store

_log = logging.getLogger(__name__)


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    capability: str
    path: str
    body: msgspec.Raw


_decoder = msgspec.json.Decoder(_Request)

Capability = Callable[[Store, str, str, bytes], Awaitable[Any]]

CAPABILITIES: dict[str, Capability] = {"kvs": kvs.serve}


class Capabilities:
    """Answers capability requests: `{"capability", "path", "body"}` -> `{"status", "body"}`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle(self, installation_id: str, payload: bytes) -> bytes:
        """The reply to one request of this installation's worker.

        Who asks is `installation_id`, which the runtime knows from the socket; nothing in the
        payload can name another. Errors are replies too: `{"code", "message"}`.
        """
        try:
            request = _decoder.decode(payload)
            capability = CAPABILITIES.get(request.capability)
            if capability is None:
                raise CapabilityRefused(404, "NOT_SUPPORTED", "There is no such capability")
            body = await capability(self._store, installation_id, request.path, request.body)
        except CapabilityRefused as refused:
            return _reply(refused.status, {"code": refused.code, "message": refused.message})
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _reply(
                400, {"code": "INVALID_REQUEST", "message": "The request is not readable"}
            )
        except Exception:
            _log.exception("a capability failed", extra={"installation_id": installation_id})
            return _reply(500, {"code": "INTERNAL", "message": "The platform failed to answer"})
        return _reply(200, body)


def _reply(status: int, body: Any) -> bytes:
    return msgspec.json.encode({"status": status, "body": body})
