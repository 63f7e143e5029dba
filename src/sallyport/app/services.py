"""What use-cases work with, made from settings: alike in the host and in each of its gateways."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sallyport.app.provider import make_provider
from sallyport.app.shared import Shared
from sallyport.control.services import Services
from sallyport.model.platform import LimitSetting, ProcessState
from sallyport.runtime.node_program import NodeProgram
from sallyport.runtime.resolve import Resolver
from sallyport.settings import Settings, limits_of
from sallyport.store.engine import Store
from sallyport.tokens.keys import Keys


def make_services(
    settings: Settings,
    store: Store,
    keys: Keys,
    shared: Shared,
    *,
    stop_installation: Callable[[str], Awaitable[None]],
    node: NodeProgram | None,
    processes: Callable[[], Awaitable[tuple[ProcessState, ...]]],
) -> Services:
    """Raises `BadSetting` where the identity provider's files cannot be used."""
    return Services(
        store,
        settings.address,
        settings.bundles,
        stop_installation,
        attempts=shared.attempts,
        provider=make_provider(settings),
        resolver=Resolver(settings.package_index),
        node=node,
        reload_keys=lambda: keys.reload(store),
        processes=processes,
        limits=tuple(LimitSetting(*each) for each in limits_of(settings)),
    )
