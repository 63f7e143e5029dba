"""Whether a change is in force in every process that answers calls."""

from __future__ import annotations

from dataclasses import dataclass

from sallyport.control.services import Services


@dataclass(frozen=True, slots=True)
class Reach:
    """How many of the `processes` a change had `reached` when they were asked, `checked_at`
    (milliseconds)."""

    processes: int
    reached: int
    checked_at: int

    @property
    def everywhere(self) -> bool:
        return self.reached == self.processes


async def reach_of(services: Services, changed_at: int) -> Reach:
    """Where a change of this time is in force: in each process that is no further behind."""
    asked = await services.processes()
    reached = sum(each.at - each.lag_ms >= changed_at for each in asked)
    return Reach(len(asked), reached, services.store.clock.now())
