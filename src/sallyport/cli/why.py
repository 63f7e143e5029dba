"""`why`: one call as it walked through the gates."""

from __future__ import annotations

from typing import Any

import click

from sallyport.cli.client import signed_in
from sallyport.cli.lazy import Verb
from sallyport.cli.options import json_option
from sallyport.cli.terminal import json_text, mark, pairs, plain, say

_STATES = {"open": ("✓", "green"), "shut": ("✗", "red"), "unreached": ("·", "bright_black")}


@click.command(cls=Verb)
@click.argument("decision_id")
@json_option
def why(decision_id: str, as_json: bool) -> None:
    """Say why a call was allowed or refused.

    The decision id is in the answer to the call, as `decision_id`.
    """
    with signed_in() as api:
        decision = api.get("decisions", decision_id)
    if as_json:
        click.echo(json_text(decision))
        return
    click.echo("  ".join(_gate(gate) for gate in decision["gates"]))
    say()
    say(f"{decision['method']} {decision['path']}")
    _explain(decision)


def _gate(gate: dict[str, Any]) -> str:
    sign, colour = _STATES.get(str(gate["state"]), ("?", "yellow"))
    return mark(f"{sign} {plain(gate['name'])}", colour)


def _explain(decision: dict[str, Any]) -> None:
    problem = decision.get("problem") or {}
    if decision.get("gate") is None:
        rows: list[tuple[str, object]] = [("Allowed", f"answered {decision['status']}")]
    else:
        title = problem.get("title") or decision["reason"]
        rows = [("Refused", f"at {decision['gate']}, {decision['status']}: {title}")]
    rows += [
        (title, problem[key])
        for title, key in (
            ("Because", "detail"),
            ("Needed", "required_scopes"),
            ("Held", "granted_scopes"),
            ("Missing", "missing_scopes"),
            ("Fix", "fix"),
        )
        if problem.get(key) is not None
    ]
    rows += [
        (title, decision[key])
        for title, key in (
            ("Reason", "reason"),
            ("At", "at"),
            ("Invocation", "invocation_id"),
            ("Trace", "trace_id"),
        )
        if decision.get(key) is not None
    ]
    pairs(rows)
