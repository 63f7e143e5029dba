"""Forms as they arrive: read once, bounded, with nothing said twice that is asked for once."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect, Request

from sallyport.vocab.errors import Reason, Refused

LARGEST = 64 * 1024
MOST_FIELDS = 200
_MEDIA_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> FormData:
    """The fields of a url-encoded form. Raises `Refused`."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _MEDIA_TYPE:
        raise Refused(
            Reason.MEDIA_TYPE_UNSUPPORTED, f"Forms come as {_MEDIA_TYPE}.", fix="Use the page."
        )
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                raise Refused(Reason.PAYLOAD_TOO_LARGE, f"A form holds at most {LARGEST} bytes.")
    except ClientDisconnect:
        raise Refused(Reason.REQUEST_MALFORMED, "The form broke off.") from None
    try:
        fields = parse_qsl(
            bytes(body).decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise Refused(Reason.REQUEST_MALFORMED, "The form could not be read.") from None
    return FormData([(name, value) for name, value in fields])


def one(form: FormData, name: str) -> str:
    """A field that comes once; empty where it is absent. Raises `Refused` where it comes twice."""
    values = many(form, name)
    if len(values) > 1:
        raise Refused(Reason.REQUEST_MALFORMED, f"The form holds {name} more than once.")
    return values[0] if values else ""


def many(form: FormData, name: str) -> list[str]:
    """A field that may come several times, such as check boxes."""
    return [value for value in form.getlist(name) if isinstance(value, str)]


def lines(form: FormData, name: str) -> list[str]:
    """A text area's lines, without empty ones."""
    return [line.strip() for line in one(form, name).splitlines() if line.strip()]
