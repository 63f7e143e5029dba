"""What an integration is used for, said before it is ended: consents, calls, the last of them."""

from __future__ import annotations

from dataclasses import dataclass

from sallyport.control.services import Services
from sallyport.control.usage import UsageLine, integration_usage
from sallyport.model.directory import Actor
from sallyport.store.grants import live_grants_of_client
from sallyport.vocab.clock import DAY, HOUR

LOOKED_BACK = 30 * DAY


@dataclass(frozen=True, slots=True)
class IntegrationUse:
    """`hours` are those of the last 30 days with calls. `last_hour` is None where there are none;
    a call came in the hour that begins then, in milliseconds."""

    consents: int
    hours: tuple[UsageLine, ...]
    routes: tuple[UsageLine, ...]
    last_hour: int | None

    def calls_since(self, at: int) -> int:
        """Calls of the hours that ended after `at`."""
        return sum(
            each.usage.calls for each in self.hours if isinstance(each.key, int) and each.key > at
        )


async def integration_use(services: Services, actor: Actor, client_id: str) -> IntegrationUse:
    """How an integration is used, for who made it. Raises `Refused`."""
    now = services.store.clock.now()
    span = {"since": now - LOOKED_BACK, "until": now + HOUR}
    hours = await integration_usage(services, actor, client_id, "hour", **span)
    routes = await integration_usage(services, actor, client_id, "route", **span)
    consents = await services.store.read(live_grants_of_client, client_id)
    used = [each.key for each in hours if isinstance(each.key, int) and each.usage.calls]
    return IntegrationUse(consents, hours, routes, max(used, default=None))
