"""What was done on a site, by whom, newest first."""

from __future__ import annotations

from starlette.responses import Response

from sallyport.control.audit import AuditLine, site_audit
from sallyport.vocab.errors import Reason, Refused
from sallyport.web.admin.frame import admins_frame, draw_site
from sallyport.web.visit import Visit

PAGE = 50


async def show_audit(visit: Visit) -> Response:
    frame = await admins_frame(visit)
    before = visit.request.query_params.get("before")
    if before is not None and not (before.isascii() and before.isdigit() and len(before) <= 18):
        raise Refused(Reason.INVALID_INPUT, "That is no row to go on from.")
    found = await site_audit(
        visit.services,
        visit.actor,
        frame.site.id,
        before=int(before) if before else None,
        limit=PAGE + 1,
    )
    return draw_site(
        visit,
        frame,
        "audit.html",
        tab="/audit",
        lines=found[:PAGE],
        older=f"?before={found[PAGE - 1].seq}" if len(found) > PAGE else None,
        newest=before is None,
        details=details,
    )


def details(line: AuditLine) -> list[tuple[str, str]]:
    """The details that say something to a person: no ids of ours, nothing that is not so."""
    return [
        (word.replace("_", " "), _words(value))
        for word, value in line.detail.items()
        if not word.endswith("_id") and value not in (None, "", [], False)
    ]


def _words(value: object) -> str:
    if value is True:
        return "yes"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
