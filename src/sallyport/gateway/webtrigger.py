"""Web triggers: URLs that run a function for whoever knows them; docs/reference/triggers.md.

The simple door beside app REST APIs: no token, no scopes, no switch. What keeps strangers out is
the URL itself, which holds 256 random bits; an admin of the site makes it and ends it. It is off
as soon as the app is uninstalled. The path of a call is remembered without its secret.
"""

from __future__ import annotations

import logging
import time
from urllib.parse import unquote

from sallyport.gateway import answer, refuse
from sallyport.gateway.address import LONGEST_PATH, read_query
from sallyport.gateway.call import Address, Call
from sallyport.gateway.context import call_context
from sallyport.gateway.endpoint import (
    MOST_LOADS,
    ClientGone,
    Invoke,
    Message,
    Receive,
    Send,
    elapsed_us,
    invocation_of,
    raw_path_of,
    read_body,
    read_call,
    send_reply,
)
from sallyport.gateway.facts import Facts, Lacking
from sallyport.gateway.identity import function_headers
from sallyport.gateway.record import Recorder
from sallyport.gateway.sources import Installed, manifest_of
from sallyport.gateway.steps import LARGEST_PAYLOAD, Policy
from sallyport.gateway.windows import Count
from sallyport.manifest.canonical import canonical_segments
from sallyport.manifest.table import Found
from sallyport.model.directory import Site
from sallyport.model.manifest import Function, Route, WebTrigger
from sallyport.observe.metrics import WEB_TRIGGER_CALLS
from sallyport.runtime.call import Answer, Failure
from sallyport.runtime.headers import OUTPUT_KEY
from sallyport.store.engine import Store
from sallyport.store.triggers import TriggerPlace, place_of
from sallyport.vocab.clock import SECOND
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import WEB_TRIGGER, is_well_formed
from sallyport.vocab.message import Reply

PREFIX = "/webtrigger/"
LONGEST_RUN = 55 * SECOND

_log = logging.getLogger(__name__)


class WebTriggers:
    """An ASGI application for the paths under `PREFIX`."""

    def __init__(
        self,
        store: Store,
        facts: Facts,
        policy: Policy,
        invoke: Invoke,
        recorder: Recorder,
        count: Count,
    ) -> None:
        self._store = store
        self._facts = facts
        self._policy = policy
        self._invoke = invoke
        self._recorder = recorder
        self._count = count

    @staticmethod
    def handles(scope: Message) -> bool:
        return scope["type"] == "http" and raw_path_of(scope).startswith(PREFIX)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        started = time.perf_counter_ns()
        call = read_call(scope, self._store.clock.now())
        secret, call.raw_path = _split(call.raw_path)
        try:
            reply = await self._answer(call, secret, receive, started)
        except ClientGone:
            return
        WEB_TRIGGER_CALLS.labels(f"{reply.status // 100}xx").inc()
        await send_reply(send, reply)

    async def _answer(self, call: Call, secret: str, receive: Receive, started: int) -> Reply:
        try:
            trigger, function = await self._find(call, secret)
            call.gate = "limits"
            if call.content_length is not None and call.content_length > LARGEST_PAYLOAD:
                raise refuse.payload_too_large(LARGEST_PAYLOAD)
            body = await read_body(receive)
            call.gate, call.bytes_in = "function", len(body)
            outcome = await self._run(call, trigger, function, body)
        except Refused as refused:
            return await self._refuse(call, refused, started)
        except ClientGone:
            raise
        except Exception:
            _log.exception("a web trigger failed", extra={"trace_id": call.trace_id})
            internal = refuse.failed_inside(call.trace_id)
            return await self._refuse(call, internal, started)
        reply = answer.of_function(call, outcome, own_cors=True)
        call.worker_us, call.bytes_out = outcome.duration_us, len(reply.body)
        self._recorder.allowed(call, reply.status, elapsed_us(started))
        return reply

    async def _find(self, call: Call, secret: str) -> tuple[WebTrigger, Function]:
        """The web trigger that a URL leads to, now. Raises `Refused`."""
        call.gate = "path"
        if not is_well_formed(secret, WEB_TRIGGER):
            raise _unknown()
        segments = _segments(call.raw_path)
        call.gate = "route"
        place = await self._store.read(place_of, secret)
        if place is None:
            raise _unknown()
        path = call.raw_path.removeprefix(PREFIX).lstrip("/")
        call.raw_path = f"{PREFIX}{place.id}/{path}".rstrip("/")
        call.address = Address(
            by_host=False,
            product=place.product,
            cloud_id=place.site_id,
            app_id=place.app_id,
            environment_id=place.environment_id,
            segments=segments,
            app_path=f"/{path}" if path else "",
        )
        call.installed, call.site = await self._installed(call, place)
        trigger, function = _declared(call.installed, place.module_key)
        call.found = Found(
            Route(trigger.key, call.method[:16], PREFIX, function.key, (), ()), {}, 0
        )
        call.gate = "limits"
        await self._count(place.id, call.now)
        return trigger, function

    async def _installed(self, call: Call, place: TriggerPlace) -> tuple[Installed, Site]:
        sources = self._policy.sources
        key = (place.site_id, place.app_id, place.environment_id, place.product)
        for _ in range(MOST_LOADS):
            try:
                site = self._facts.get(sources.site_by_id, place.site_id)
                installed = self._facts.get(sources.installed, key)
            except Lacking as lacking:
                await self._facts.load(lacking)
                continue
            if (
                site is None
                or installed is None
                or installed.installation.id != (place.installation_id)
            ):
                raise _unknown()
            return installed, site
        raise refuse.facts_moved()

    async def _run(
        self, call: Call, trigger: WebTrigger, function: Function, body: bytes
    ) -> Answer:
        assert call.installed is not None
        assert call.address is not None
        call.request = {
            "method": call.method,
            "path": call.raw_path,
            "userPath": call.address.app_path,
            "headers": function_headers(call.headers, None, call.traceparent),
            "queryParameters": read_query(call.query),
            "pathParameters": {},
        }
        call.context = call_context(
            call.installed.context,
            function_key=function.key,
            module_key=trigger.key,
            module_type="webtrigger",
            account_id=None,
            scopes=(),
        )
        outcome = await self._invoke(
            call.installed.target,
            invocation_of(
                call, function, body, min(function.timeout_seconds * SECOND, LONGEST_RUN)
            ),
        )
        if isinstance(outcome, Failure):
            raise answer.failure_refused(call, outcome)
        return _checked(call, trigger, outcome)

    async def _refuse(self, call: Call, refused: Refused, started: int) -> Reply:
        document = answer.problem_of(call, refused)
        reply = answer.of_refusal(call, refused, document, self._policy.public_url, forge=False)
        if call.installed is None or refused.reason is Reason.RATE_LIMITED:
            # Without an installation it is nobody's record, and anybody can make such calls; those
            # beyond the limit must not cost a write each.
            return reply
        call.bytes_out = len(reply.body)
        await self._recorder.denied(call, refused, document, reply.status, elapsed_us(started))
        return reply


def _split(raw_path: str) -> tuple[str, str]:
    """The secret of a path, and the path without it, fit to be remembered."""
    secret, _, rest = raw_path.removeprefix(PREFIX).partition("/")
    return secret, PREFIX + rest


def _segments(path: str) -> tuple[str, ...]:
    """The part of the path that is the caller's own. Raises `Refused`: never repairs it."""
    if len(path) > LONGEST_PATH:
        raise Refused(
            Reason.PATH_NOT_CANONICAL,
            f"The path is longer than {LONGEST_PATH} characters.",
            fix="Send long values in the query or in the body.",
        )
    own = path.removeprefix(PREFIX)
    try:
        return canonical_segments(f"/{own}") if own else ()
    except ValueError as error:
        raise Refused(
            Reason.PATH_NOT_CANONICAL,
            f"{str(error)[:1].upper()}{str(error)[1:]}.",
            fix="Send the path in the normal form of RFC 3986.",
        ) from None


def _declared(installed: Installed, module_key: str) -> tuple[WebTrigger, Function]:
    """The web trigger as the version that runs now declares it. Raises `Refused`."""
    for trigger in manifest_of(installed.version.manifest).webtriggers:
        function = installed.compiled.functions.get(trigger.function or "")
        if trigger.key == module_key and function is not None:
            return trigger, function
    raise _unknown()


def _checked(call: Call, trigger: WebTrigger, outcome: Answer) -> Answer:
    """A dynamic trigger's answer as it is; a static one's as the manifest has it.

    Raises `Refused` where a trigger answers in the way of the other sort.
    """
    chosen = [value for name, value in outcome.headers if name == OUTPUT_KEY]
    if trigger.response == "dynamic":
        if chosen:
            raise _bad(call, "a dynamic web trigger returns statusCode, not outputKey")
        return outcome
    key = unquote(chosen[0]) if len(chosen) == 1 else None
    for output in trigger.outputs:
        if output.key == key:
            body = (output.body or "").encode()
            headers = (("content-type", output.content_type or "text/plain"),) if body else ()
            return outcome._replace(status=output.status, headers=headers, body=body)
    raise _bad(call, "a static web trigger returns the outputKey of one of its declared outputs")


def _bad(call: Call, message: str) -> Refused:
    failure = Failure("bad_result", message, 0)
    return answer.failure_refused(call, failure)


def _unknown() -> Refused:
    return Refused(
        Reason.WEB_TRIGGER_UNKNOWN,
        "No web trigger has this URL.",
        fix="Ask who gave you the URL for a new one; an admin of the site makes it.",
    )
