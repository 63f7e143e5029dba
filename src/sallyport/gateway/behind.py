"""Behind: the facts that stand behind a token, put together for one installation.

It is made of facts and dropped with the first that changes (`Facts.joined`). It decides nothing:
each call asks every question of it anew (`steps.grant_alive`, `steps.scopes`).
"""

from __future__ import annotations

from sallyport.gateway.context import call_context
from sallyport.gateway.sources import Installed
from sallyport.model.access import (
    Grant,
    Integration,
    IntegrationLink,
    TokenFamily,
    VerifiedToken,
)
from sallyport.model.directory import SiteRole
from sallyport.model.manifest import Route
from sallyport.runtime.call import CallContext
from sallyport.scopes import decide


class Behind:
    """Facts are None where they are absent, and where one before them makes them of no matter.

    `scopes` is what the token may do now.
    """

    __slots__ = (
        "_contexts",
        "family",
        "grant",
        "installed",
        "integration",
        "link",
        "role",
        "scopes",
        "token",
    )

    def __init__(
        self,
        token: VerifiedToken,
        installed: Installed,
        family: TokenFamily | None,
        grant: Grant | None,
        integration: Integration | None,
        link: IntegrationLink | None,
        role: SiteRole | None,
    ) -> None:
        self.token = token
        self.installed = installed
        self.family = family
        self.grant = grant
        self.integration = integration
        self.link = link
        self.role = role
        self.scopes: frozenset[str] = frozenset()
        if grant is not None and link is not None:
            self.scopes = decide.effective_scopes(token, grant, link)
        self._contexts: dict[str, CallContext] = {}

    def context_for(self, route: Route) -> CallContext:
        """The context of calls of a route; its JSON is written once."""
        context = self._contexts.get(route.key)
        if context is None:
            context = self._contexts[route.key] = CallContext(
                call_context(
                    self.installed.context,
                    function_key=route.function,
                    module_key=route.key,
                    module_type="apiRoute",
                    account_id=self.grant.account_id if self.grant is not None else None,
                    scopes=self.scopes,
                )
            )
        return context
