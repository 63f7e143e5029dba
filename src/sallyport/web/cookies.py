"""The two cookies: who is signed in, and which browser asked for the sign-in form.

Both are HttpOnly, `SameSite=Lax` and for the whole host. Over https their names begin with
`__Host-`, so that no other host of the same domain can set them.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

SESSION = "sallyport"
VISITOR = "sallyport-visitor"
_LONGEST = 128


def read_cookie(request: Request, name: str, *, secure: bool) -> str | None:
    """The cookie's value, None where it is absent or longer than any that we set."""
    value = request.cookies.get(_name(name, secure=secure))
    return value if value and len(value) <= _LONGEST else None


def set_cookie(response: Response, name: str, value: str, *, secure: bool) -> None:
    """Set a cookie that ends with the browser's session; the server ends it earlier."""
    response.set_cookie(
        _name(name, secure=secure), value, path="/", secure=secure, httponly=True, samesite="lax"
    )


def clear_cookie(response: Response, name: str, *, secure: bool) -> None:
    response.delete_cookie(
        _name(name, secure=secure), path="/", secure=secure, httponly=True, samesite="lax"
    )


def _name(name: str, *, secure: bool) -> str:
    return f"__Host-{name}" if secure else name
