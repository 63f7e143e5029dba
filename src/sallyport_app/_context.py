from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any


class Context(Mapping[str, Any]):
    """Who calls, where, and how much time is left: by attribute, or by key as in
    `context["accountId"]`.

    Keys: `appId, environmentId, environmentType, installationId, cloudId, product, accountId,
    functionKey, invocationId, traceId, scopes`. All of it comes from the platform; nothing that the
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
        """The account that consented to the call."""
        return self._facts.get("accountId")

    @property
    def function_key(self) -> str:
        return str(self._facts["functionKey"])

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
