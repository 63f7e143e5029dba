"""Outcomes: what an answered call comes to, counted and told in its log."""

from __future__ import annotations

from sallyport.runtime import frames
from sallyport.runtime.call import Failure, Outcome
from sallyport.runtime.limits import count_reached
from sallyport.runtime.result import Checked, check_failure, check_result
from sallyport.runtime.turns import Answered


def outcome_of(answered: Answered, duration_us: int) -> tuple[Outcome, bool]:
    """The outcome of a call that took so long, and whether its worker is not to be used again."""
    turn, kind, header, body = answered
    if kind == frames.RESULT:
        checked = check_result(header, body, duration_us)
    else:
        checked = check_failure(header, duration_us)
    outcome, _, is_spent = checked
    if isinstance(outcome, Failure):
        if outcome.kind == "out_of_memory":
            count_reached("memory")
        elif outcome.kind == "too_large":
            count_reached("response")
        turn.log.report("ERROR", _text(checked, outcome))
    return outcome, is_spent


def _text(checked: Checked, failure: Failure) -> str:
    if checked.trace:
        return checked.trace
    if failure.kind in ("bad_result", "too_large"):
        return f"The result cannot be sent: {failure.message}"
    return failure.message
