"""The cookies: who is signed in, which browser asked for the sign-in form, what the next page says,
what is being tried, and what a browser that went to the identity provider must come back with.

All are HttpOnly, `SameSite=Lax` and for the whole host. Over https their names begin with
`__Host-`, so that no other host of the same domain can set them.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

SESSION = "sallyport"
VISITOR = "sallyport-visitor"
FLASH = "sallyport-said"
DEPARTED = "sallyport-departed"
TRY = "sallyport-try"
_LONGEST = 128


def read_cookie(
    request: Request, name: str, *, secure: bool, longest: int = _LONGEST
) -> str | None:
    """The cookie's value, None where it is absent or longer than any that we set."""
    value = request.cookies.get(_name(name, secure=secure))
    return value if value and len(value) <= longest else None


def set_cookie(
    response: Response, name: str, value: str, *, secure: bool, max_age: int | None = None
) -> None:
    """Set a cookie that ends after `max_age` seconds; without, with the browser's session.

    The server ends sessions earlier.
    """
    response.set_cookie(
        _name(name, secure=secure),
        value,
        max_age=max_age,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def clear_cookie(response: Response, name: str, *, secure: bool) -> None:
    response.delete_cookie(
        _name(name, secure=secure), path="/", secure=secure, httponly=True, samesite="lax"
    )


def _name(name: str, *, secure: bool) -> str:
    return f"__Host-{name}" if secure else name
