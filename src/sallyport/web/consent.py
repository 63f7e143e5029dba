"""The pages that the authorization server asks for: consent, problem, sign-in.

Answers its `Pages` interface by shape alone; this room knows nothing of OAuth's rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from sallyport.control.services import Services
from sallyport.model.consent import AuthorizeProblem, ConsentView
from sallyport.model.directory import Account
from sallyport.web import csrf
from sallyport.web.drawing import draw
from sallyport.web.forms import one, read_form
from sallyport.web.visit import to_sign_in, visit_of

_ANSWERS = frozenset({"decision", "site", "offered", "kept", csrf.TOKEN_FIELD})


class ConsentPages:
    """Draws consent for the authorization server and vouches for the form that comes back."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def consent(self, request: Request, view: ConsentView) -> Response:
        """The question. The form goes to this same path, with `view.fields` and the answers."""
        visit = await visit_of(request, self._services)
        action = request.url.path
        return draw(
            visit,
            "consent.html",
            form_targets=[view.redirect_origin],
            view=view,
            action=action,
            again=_address(request),
            token=visit.form_token(_purpose(action, view.fields)),
        )

    async def problem(self, request: Request, problem: AuthorizeProblem) -> Response:
        """Why the request stops here. Nothing on the page leads to the client."""
        visit = await visit_of(request, self._services)
        wait = problem.retry_after
        return draw(
            visit,
            "problem.html",
            status=problem.status,
            headers=None if wait is None else {"Retry-After": str(wait)},
            title=problem.title,
            detail=problem.detail,
            fix=problem.fix,
            reference=None,
            again=_address(request) if request.method == "GET" else None,
        )

    async def sign_in(self, request: Request, return_to: str) -> Response:
        """Sign in, anew where somebody is signed in already; then come back to `return_to`."""
        return to_sign_in(return_to, again=await self.signed_in_account(request) is not None)

    async def signed_in_account(self, request: Request) -> Account | None:
        """Who is signed in in this browser."""
        return (await visit_of(request, self._services)).account

    async def verify_form(self, request: Request) -> FormData:
        """The answer's fields, if our page drew just this question for this session.

        Raises `Refused` otherwise.
        """
        visit = await visit_of(request, self._services)
        csrf.require_same_origin(request, visit.scheme)
        form = await read_form(request)
        brought_back = [
            (name, value)
            for name, value in form.multi_items()
            if name not in _ANSWERS and isinstance(value, str)
        ]
        purpose = _purpose(request.url.path, brought_back)
        visit.require_own_form(purpose, one(form, csrf.TOKEN_FIELD))
        return form


def _address(request: Request) -> str:
    """This page again, for after signing in as somebody else."""
    return f"{request.url.path}?{request.url.query}"


def _purpose(action: str, fields: Iterable[tuple[str, str]]) -> str:
    """One purpose for each question, so that an answer cannot be used for another request."""
    return json.dumps([action, sorted(map(list, fields))])
