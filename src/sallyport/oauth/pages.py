"""What the authorization server needs of whoever draws pages and knows who is signed in."""

from __future__ import annotations

from typing import Protocol

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from sallyport.model.consent import AuthorizeProblem, ConsentView
from sallyport.model.directory import Account


class Pages(Protocol):
    """Pages and sign-in, as the authorization server sees them."""

    async def consent(self, request: Request, view: ConsentView) -> Response:
        """Ask. The answer comes back by POST with `view.fields`, `site` and `decision`.

        `offered` comes once for each optional scope of `view.scopes`, `kept` for those left in.
        """
        ...

    async def problem(self, request: Request, problem: AuthorizeProblem) -> Response:
        """Say why an authorization request stops here; nothing on the page leads to the client."""
        ...

    async def sign_in(self, request: Request, return_to: str) -> Response:
        """Ask for sign-in, then go on to `return_to`, a path of this platform."""
        ...

    async def signed_in_account(self, request: Request) -> Account | None:
        """Who is signed in in this browser now, if anybody."""
        ...

    async def verify_form(self, request: Request) -> FormData:
        """The form, if our own page drew it for this session.

        Raises `Refused` for a form that another site, session or question sent.
        """
        ...
