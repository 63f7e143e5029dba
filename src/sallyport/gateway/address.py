"""What a call's path names, contract section (d): one parse feeds all that follows."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import parse_qsl

from sallyport.gateway.call import Address
from sallyport.manifest.canonical import canonical_segments
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import is_uuid

CLOUD_PREFIX = "/svc/"
SITE_PREFIX = "/gateway/api/svc/"
PREFIXES = (CLOUD_PREFIX, SITE_PREFIX)

LONGEST_PATH = 4096
MOST_QUERY_FIELDS = 500

# A longer path is read each time, so that what is kept stays small.
_LONGEST_KEPT = 512
# Fields that stand for themselves, a few of them.
_PLAIN_QUERY = re.compile(
    r"[A-Za-z0-9._~-]+(?:=[A-Za-z0-9._~-]*)?(?:&[A-Za-z0-9._~-]+(?:=[A-Za-z0-9._~-]*)?){0,31}",
    re.ASCII,
)
_PRODUCT = re.compile(r"[a-z][a-z0-9-]{0,63}", re.ASCII)

BY_CLOUD_ID = "/svc/<product>/<cloud-id>/apps/<app-id>_<environment-id>/<path>"
BY_HOST = "/gateway/api/svc/<product>/apps/<app-id>_<environment-id>/<path>"


def is_call(raw_path: str) -> bool:
    """Whether a request's path belongs to the gateway."""
    return raw_path.startswith(PREFIXES)


def read_address(raw_path: str) -> Address:
    """Read a raw path, undecoded and without its query. Raises `Refused`: never repairs it.

    What a path names depends on nothing else, so the paths called lately are read once.
    """
    return _read_again(raw_path) if len(raw_path) <= _LONGEST_KEPT else _read(raw_path)


def _read(raw_path: str) -> Address:
    if len(raw_path) > LONGEST_PATH:
        raise Refused(
            Reason.PATH_NOT_CANONICAL,
            f"The path is longer than {LONGEST_PATH} characters.",
            fix="Send long values in the query or in the body.",
        )
    try:
        segments = canonical_segments(raw_path)
    except ValueError as error:
        raise Refused(
            Reason.PATH_NOT_CANONICAL,
            f"{str(error)[:1].upper()}{str(error)[1:]}.",
            fix="Send the path in the normal form of RFC 3986: no empty or dot segments, "
            "upper-case hex, only what needs it percent-encoded.",
        ) from None
    raw = raw_path[1:].split("/")
    by_host = raw_path.startswith(SITE_PREFIX)
    skip = 3 if by_host else 1
    # svc / product / cloud id / apps / app, or gateway / api / svc / product / apps / app
    cloud_id = None if by_host else _at(segments, 2)
    apps = skip + (1 if by_host else 2)
    product = _at(segments, skip)
    app = _at(segments, apps + 1)
    inner = segments[apps + 2 :]
    if (
        product is None
        or app is None
        or _at(segments, apps) != "apps"
        or not inner
        or _PRODUCT.fullmatch(product) is None
        or (cloud_id is not None and not is_uuid(cloud_id))
    ):
        raise _not_an_address(by_host)
    app_id, underscore, environment_id = app.partition("_")
    if not is_uuid(app_id) or (underscore and not is_uuid(environment_id)):
        raise _not_an_address(by_host)
    return Address(
        by_host=by_host,
        product=product,
        cloud_id=cloud_id,
        app_id=app_id,
        environment_id=environment_id if underscore else None,
        segments=inner,
        app_path="/" + "/".join(raw[apps + 2 :]),
    )


_read_again = lru_cache(maxsize=4096)(_read)


def read_query(query: str) -> dict[str, list[str]]:
    """The query as name -> values, in order. Raises `Refused`."""
    if not query:
        return {}
    if _PLAIN_QUERY.fullmatch(query) is not None:
        plain: dict[str, list[str]] = {}
        for field in query.split("&"):
            name, _, value = field.partition("=")
            plain.setdefault(name, []).append(value)
        return plain
    try:
        fields = parse_qsl(
            query,
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_QUERY_FIELDS,
        )
    except ValueError:
        raise Refused(
            Reason.REQUEST_MALFORMED,
            f"The query is not UTF-8 text with at most {MOST_QUERY_FIELDS} fields.",
            fix="Percent-encode the query as UTF-8 and send fewer fields.",
        ) from None
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    return values


def user_path(app_path: str, prefix: int) -> str:
    """The part of a path after a route's leading literals, contract section (e.2)."""
    rest = app_path[1:].split("/")[prefix:]
    return "/" + "/".join(rest) if rest else ""


def _at(segments: tuple[str, ...], index: int) -> str | None:
    return segments[index] if index < len(segments) else None


def _not_an_address(by_host: bool) -> Refused:
    form = BY_HOST if by_host else BY_CLOUD_ID
    return Refused(
        Reason.SITE_UNKNOWN,
        "The path does not name a site, a product, an app and a route.",
        fix=f"Use {form}. The base URL stands in the admin console and beside the integration.",
    )
