"""What waits for the site's admins, answered scope by scope, and the rule that makes it wait."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import FormData
from starlette.responses import Response

from sallyport.control.approvals import answer_approval, approval_queue, require_approval
from sallyport.vocab.errors import Reason, Refused
from sallyport.web.admin.frame import admins_frame, draw_site
from sallyport.web.flash import say
from sallyport.web.forms import many, one
from sallyport.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Typed:
    """What a refused form held: of which request ("" for the rule), which scopes, which reason."""

    approval_id: str
    scopes: frozenset[str]
    reason: str


_NOTHING = Typed("", frozenset(), "")


async def show_queue(visit: Visit) -> Response:
    return await _page(visit)


async def set_rule(visit: Visit, form: FormData) -> Response:
    wanted, reason = one(form, "required"), one(form, "reason")
    if wanted not in ("yes", "no"):
        raise Refused(Reason.INVALID_INPUT, "Approval is required, yes or no.")
    try:
        queue = await require_approval(
            visit.services, visit.actor, visit.path("site"), wanted == "yes", reason
        )
    except Refused as refused:
        if refused.reason is not Reason.INVALID_INPUT:
            raise
        return await _page(visit, typed=Typed("", frozenset(), reason), problem=refused)
    text = "New links wait for you now." if queue.required else "New links wait for nobody now."
    return say(visit, f"/admin/sites/{visit.path('site')}/approvals", text)


async def answer(visit: Visit, form: FormData) -> Response:
    """Approve the ticked scopes and refuse the others; or refuse all."""
    approval_id, reason = visit.path("approval_id"), one(form, "reason")
    scopes = [] if one(form, "answer") == "refuse" else many(form, "scope")
    try:
        answered = await answer_approval(
            visit.services, visit.actor, visit.path("site"), approval_id, scopes, reason
        )
    except Refused as refused:
        if refused.reason is not Reason.INVALID_INPUT:
            raise
        return await _page(
            visit, typed=Typed(approval_id, frozenset(scopes), reason), problem=refused
        )
    name, approved = answered.integration.name, answered.approval.approved
    text = f"{name}: {', '.join(sorted(approved))} approved." if approved else f"{name}: refused."
    return say(visit, f"/admin/sites/{visit.path('site')}/approvals", text)


async def _page(
    visit: Visit, *, typed: Typed = _NOTHING, problem: Refused | None = None
) -> Response:
    frame = await admins_frame(visit)
    all_shown = visit.request.query_params.get("show") == "all"
    queue = await approval_queue(visit.services, visit.actor, frame.site.id, pending=not all_shown)
    return draw_site(
        visit,
        frame,
        "approvals.html",
        tab="/approvals",
        queue=queue,
        waiting=[each for each in queue.items if each.approval.state.value == "pending"],
        answered=[each for each in reversed(queue.items) if each.approval.state.value != "pending"],
        all_shown=all_shown,
        typed=typed,
        problem=problem,
    )
