"""What every page of a site shares: which site, what the visitor is there, where one can go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control.approvals import approval_queue
from sallyport.control.names import clean_words
from sallyport.control.sites import my_site
from sallyport.model.directory import Actor, Site, SiteRole
from sallyport.vocab.errors import Refused
from sallyport.web.drawing import draw
from sallyport.web.forms import one
from sallyport.web.visit import Visit

SITES = "/admin"
Trail = list[tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class Frame:
    """A site as the visitor sees it; `waiting` requests are for its admins."""

    site: Site
    role: SiteRole
    waiting: int

    @property
    def is_admin(self) -> bool:
        return self.role is SiteRole.ADMIN

    @property
    def address(self) -> str:
        return f"{SITES}/sites/{self.site.id}"

    @property
    def tabs(self) -> list[tuple[str, str]]:
        if not self.is_admin:
            return [("Apps", self.address)]
        waiting = f"Approvals ({self.waiting})" if self.waiting else "Approvals"
        return [
            ("Apps", self.address),
            (waiting, f"{self.address}/approvals"),
            ("Integrations", f"{self.address}/integrations"),
            ("Service accounts", f"{self.address}/service-accounts"),
            ("Members", f"{self.address}/members"),
            ("Usage", f"{self.address}/usage"),
            ("Decisions", f"{self.address}/decisions"),
            ("Audit", f"{self.address}/audit"),
        ]

    def trail(self, *steps: tuple[str, str | None]) -> Trail:
        """The way to a page below the site's tabs."""
        return [("Your sites", SITES), (self.site.host, self.address), *steps]


async def frame_of(visit: Visit) -> Frame:
    """The frame of the site that the page's path names. Raises `Refused` for strangers."""
    site, role = await my_site(visit.services, visit.actor, visit.path("site"))
    if role is not SiteRole.ADMIN:
        return Frame(site, role, 0)
    return await _admins(visit)


async def admins_frame(visit: Visit) -> Frame:
    """The same, for its admins alone. Raises `Refused`."""
    return await _admins(visit)


async def _admins(visit: Visit) -> Frame:
    queue = await approval_queue(visit.services, visit.actor, visit.path("site"))
    return Frame(queue.site, SiteRole.ADMIN, len(queue.items))


def acting(visit: Visit, form: FormData) -> Actor:
    """The visitor with the reason that the form gives for the audit. Raises `Refused`."""
    return replace(visit.actor, reason=clean_words(one(form, "reason"), "reason"))


def draw_site(
    visit: Visit,
    frame: Frame,
    template: str,
    *,
    tab: str = "",
    trail: Trail | None = None,
    problem: Refused | None = None,
    status: int = 200,
    **values: Any,
) -> Response:
    """A page of the site; `tab` is the end of its tab's address."""
    return draw(
        visit,
        f"admin/{template}",
        status=problem.reason.status if problem is not None else status,
        frame=frame,
        tab=frame.address + tab,
        trail=trail or [*frame.trail()[:-1], (frame.site.host, None)],
        problem=problem,
        **values,
    )
