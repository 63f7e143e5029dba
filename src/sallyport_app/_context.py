from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any


class Context(Mapping[str, Any]):
    """Who calls, where, and how much time is left: by attribute, or by key as in
    `context["accountId"]`.

    docs/reference/functions.md lists the keys. All of it comes from the platform; nothing that the
    caller sends can change it.
    """

    __slots__ = ("_deadline", "_facts")

    def __init__(self, facts: Mapping[str, Any], deadline: float) -> None:
        self._facts = facts
        self._deadline = deadline

    @property
    def app_id(self) -> str:
        return str(self._facts["appId"])

    @property
    def app_version(self) -> str:
        """The version of the app that runs: `2.1`."""
        return str(self._facts["appVersion"])

    @property
    def app_ari(self) -> str:
        return str(self._facts["appAri"])

    @property
    def environment_ari(self) -> str:
        return str(self._facts["environmentAri"])

    @property
    def installation_ari(self) -> str:
        return str(self._facts["installationAri"])

    @property
    def environment_key(self) -> str:
        """The environment's name: `development`, or one of the app's own."""
        return str(self._facts["environmentKey"])

    @property
    def environment_id(self) -> str:
        return str(self._facts["environmentId"])

    @property
    def environment_type(self) -> str:
        """`DEVELOPMENT`, `STAGING` or `PRODUCTION`."""
        return str(self._facts["environmentType"])

    @property
    def installation_id(self) -> str:
        return str(self._facts["installationId"])

    @property
    def cloud_id(self) -> str:
        """The site that the app is installed on."""
        return str(self._facts["cloudId"])

    @property
    def product(self) -> str:
        """The product of the site that the app is installed on: `jira`."""
        return str(self._facts["product"])

    @property
    def account_id(self) -> str | None:
        """The account that consented to the call; None where nobody signed in."""
        return self._facts.get("accountId")

    @property
    def function_key(self) -> str:
        return str(self._facts["functionKey"])

    @property
    def module_key(self) -> str:
        """The key of the route or trigger that led here."""
        return str(self._facts["moduleKey"])

    @property
    def permissions(self) -> Mapping[str, Any]:
        """What the manifest asks for: `{"scopes": [...], "external": {"fetch": {...}}}`."""
        return self._facts["permissions"]  # type: ignore[no-any-return]

    @property
    def invocation_id(self) -> str:
        """This one run of the function; `sallyport logs -i` finds its lines."""
        return str(self._facts["invocationId"])

    @property
    def trace_id(self) -> str:
        """What the caller is told, to find this call again."""
        return str(self._facts["traceId"])

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of the token that the call was made with."""
        return tuple(self._facts.get("scopes", ()))

    @property
    def deadline(self) -> int:
        """When the call is killed, in milliseconds since the epoch."""
        return int(self._facts["deadline"])

    def remaining_ms(self) -> int:
        """How long the call may still take, in milliseconds; then it is killed."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    def __getitem__(self, key: str) -> Any:
        return self._facts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __repr__(self) -> str:
        return f"<Context of invocation {self.get('invocationId')}>"
