"""How far back: `5m`, `10h`, `2d`, a date or an ISO time, contract section (j)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from sallyport.vocab.clock import iso

_AGO = re.compile(r"([0-9]{1,6})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def since(text: str, now: int) -> str:
    """`text` as an RFC 3339 time. `now` in milliseconds. Raises `ValueError`.

    A date is its midnight in UTC; an ISO time without an offset is UTC too.
    """
    ago = _AGO.fullmatch(text)
    if ago is not None:
        back = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return iso(max(0, now - int(back.total_seconds() * 1000)))
    if _DATE.match(text) is None:
        raise ValueError(text)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return iso(max(0, round(at.timestamp() * 1000)))
