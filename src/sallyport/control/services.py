"""What use-cases work with; made once by the composition root."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sallyport.control.attempts import Attempts
from sallyport.control.provider import Provider
from sallyport.model.directory import Site
from sallyport.model.platform import LimitSetting, ProcessState
from sallyport.model.target import base_paths
from sallyport.runtime.node_program import NodeProgram
from sallyport.runtime.resolve import Resolver
from sallyport.store.engine import Store
from sallyport.tokens.policy import TokenPolicy


async def _nothing() -> None:
    return None


async def _no_processes() -> tuple[ProcessState, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Services:
    """`bundles` is the folder of deployed code; `stop_installation` ends its workers.

    `resolver` fetches the packages that apps ask for. Without `node` no Node app can be deployed.
    People sign in at `provider` too, where there is one.
    `reload_keys` has this process sign and verify with the keys that the store holds now.
    `ending` is set when the platform stops: what would go on answering for minutes ends then.
    `processes` asks how each process of the platform stands; `limits` are what they started with.
    """

    store: Store
    public_url: str
    bundles: Path
    stop_installation: Callable[[str], Awaitable[None]]
    attempts: Attempts = field(default_factory=Attempts)
    provider: Provider | None = None
    resolver: Resolver = field(default_factory=Resolver)
    node: NodeProgram | None = None
    policy: TokenPolicy = field(default_factory=TokenPolicy)
    reload_keys: Callable[[], Awaitable[None]] = _nothing
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    processes: Callable[[], Awaitable[tuple[ProcessState, ...]]] = _no_processes
    limits: tuple[LimitSetting, ...] = ()

    def site_url(self, site: Site) -> str:
        """The site's own address: its host with the scheme and port of the public URL."""
        public = urlsplit(self.public_url)
        port = f":{public.port}" if public.port is not None else ""
        return f"{public.scheme}://{site.host}{port}"

    def base_urls(
        self, site: Site, product: str, app_id: str, environment_id: str
    ) -> tuple[str, str]:
        """The two base URLs of contract section (d): by cloud id, and on the site's own host."""
        by_cloud_id, by_host = base_paths(product, site.id, app_id, environment_id)
        return self.public_url + by_cloud_id, self.site_url(site) + by_host

    def base_url_patterns(self, product: str, app_id: str, environment_id: str) -> tuple[str, str]:
        """As `base_urls`, for readers on any site: `{cloud-id}` and `{site}` are theirs to fill."""
        tail = f"apps/{app_id}_{environment_id}"
        scheme = urlsplit(self.public_url).scheme
        return (
            f"{self.public_url}/svc/{product}/{{cloud-id}}/{tail}",
            f"{scheme}://{{site}}/gateway/api/svc/{product}/{tail}",
        )
