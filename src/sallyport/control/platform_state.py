"""How the platform stands, for its operators."""

from __future__ import annotations

from dataclasses import dataclass

from sallyport.control.authority import require_operator
from sallyport.control.services import Services
from sallyport.model.directory import Actor
from sallyport.model.platform import LimitSetting, PlatformCounts, ProcessState
from sallyport.store.engine import Reader
from sallyport.store.platform_counts import platform_counts

__all__ = ["PlatformState", "platform_state"]


@dataclass(frozen=True, slots=True)
class PlatformState:
    processes: tuple[ProcessState, ...]
    limits: tuple[LimitSetting, ...]
    counts: PlatformCounts


async def platform_state(services: Services, actor: Actor) -> PlatformState:
    """Processes, limits and counts; for operators. Raises `Refused`."""

    async def ask(reader: Reader) -> PlatformCounts:
        await require_operator(reader, actor)
        return await platform_counts(reader)

    counts = await services.store.read(ask)
    return PlatformState(await services.processes(), services.limits, counts)
