"""One request by a browser: who it is, what it may be answered with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sallyport.control.services import Services
from sallyport.control.signin import session_of
from sallyport.model.directory import Account, Actor
from sallyport.vocab.errors import Reason, Refused
from sallyport.web import cookies, csrf
from sallyport.web.agents import in_plain_words

SIGN_IN = "/login"
SETUP = "/setup"
_FORMS_BEFORE_SIGN_IN = (SIGN_IN, SETUP)


@dataclass(frozen=True, slots=True)
class Visit:
    """`session` is the cookie of a live session, `visitor` that of a browser not signed in.

    `session_id` is what the session is called where its cookie must not be seen.
    """

    request: Request
    services: Services
    account: Account | None
    session: str | None
    visitor: str
    visitor_is_new: bool
    session_id: str | None = None

    @property
    def secure(self) -> bool:
        return is_secure(self.services)

    @property
    def scheme(self) -> str:
        return urlsplit(self.services.public_url).scheme

    @property
    def address(self) -> str | None:
        return address_of(self.request)

    @property
    def agent(self) -> str:
        """The browser in plain words."""
        return in_plain_words(self.request.headers.get("user-agent"))

    def require_account(self) -> Account:
        """The account. Raises `Refused` where nobody is signed in."""
        if self.account is None:
            raise Refused(Reason.NOT_SIGNED_IN, "This page is for people who have signed in.")
        return self.account

    @property
    def actor(self) -> Actor:
        """The account as use-cases take it. Raises `Refused` where nobody is signed in."""
        account = self.require_account()
        return Actor(account.id, account.name, account.operator, self.address)

    def path(self, name: str) -> str:
        """A parameter of the page's own path."""
        return str(self.request.path_params[name])

    def form_token(self, purpose: str) -> str:
        """A token for a form that is sent to `purpose`."""
        return csrf.form_token(self._form_secret(purpose), purpose)

    def require_own_form(self, purpose: str, given: str | None) -> None:
        """Refuse a form that this browser was not shown by us. Raises `Refused`."""
        csrf.require_same_origin(self.request, self.scheme)
        csrf.require_form_token(self._form_secret(purpose), purpose, given)

    def _form_secret(self, purpose: str) -> str:
        if self.session is None or purpose in _FORMS_BEFORE_SIGN_IN:
            return self.visitor
        return self.session


def is_secure(services: Services) -> bool:
    return services.public_url.startswith("https:")


async def visit_of(request: Request, services: Services) -> Visit:
    """Who visits, by cookies."""
    secure = is_secure(services)
    session = cookies.read_cookie(request, cookies.SESSION, secure=secure)
    address = address_of(request)
    found = await session_of(services, session, address) if session is not None else None
    account = found[0] if found is not None else None
    visitor = cookies.read_cookie(request, cookies.VISITOR, secure=secure)
    return Visit(
        request=request,
        services=services,
        account=account,
        session=session if account is not None else None,
        visitor=visitor or secrets.token_urlsafe(32),
        visitor_is_new=visitor is None,
        session_id=found[1].id if found is not None else None,
    )


def address_of(request: Request) -> str | None:
    """The network address that a request comes from."""
    return request.client.host if request.client else None


def see_other(location: str) -> Response:
    """Go on with a GET (RFC 9700 section 4.12: 303, so that no form is sent on)."""
    response = RedirectResponse(location, status_code=303)
    response.headers["Cache-Control"] = "no-store"
    return response


def to_sign_in(return_to: str, *, again: bool = False) -> Response:
    """Ask for sign-in, then come back to `return_to`, a path of this platform.

    `again`: also of those who are signed in already.
    """
    asked_again = "&again=1" if again else ""
    return see_other(f"{SIGN_IN}?next={quote(return_to, safe='')}{asked_again}")


def local_path(text: str | None, otherwise: str) -> str:
    """`text` if it is a path on this very origin, else `otherwise`: no open redirect.

    What browsers would take for another host is refused: `//host`, a backslash, control characters.
    """
    if not text or len(text) > 8000 or not text.startswith("/") or text.startswith("//"):
        return otherwise
    if "\\" in text or any(ord(character) < 0x21 or ord(character) == 0x7F for character in text):
        return otherwise
    return text
