"""The page before a dangerous act: it names what will break, and asks."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from sallyport.vocab.errors import Refused
from sallyport.web.drawing import draw
from sallyport.web.visit import Visit

Trail = Sequence[tuple[str, str | None]]


def ask(
    visit: Visit,
    question: str,
    verb: str,
    breaks: Sequence[str],
    *,
    action: str,
    back: str,
    trail: Trail,
    fields: Sequence[tuple[str, str]] = (),
    typed: tuple[str, str] | None = None,
    reason: bool = False,
    problem: Refused | None = None,
) -> Response:
    """Ask before `verb` is done by a form that is sent to `action` with hidden `fields`.

    `breaks`: sentences that say what will happen. `typed`: a field's name and label, for what the
    person has to write; with `reason` it may say why, for the audit. `back`: where "Keep it" leads.
    """
    return draw(
        visit,
        "confirm.html",
        status=problem.reason.status if problem is not None else 200,
        question=question,
        verb=verb,
        breaks=breaks,
        action=action,
        back=back,
        trail=trail,
        fields=fields,
        typed=typed[0] if typed else None,
        asked=typed[1] if typed else None,
        reason=reason,
        problem=problem,
    )
