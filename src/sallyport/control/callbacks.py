"""Callback URLs: which ones an integration may register, and the URL that begins its journey.

What is registered is compared character by character later on, so it must be in the one form that
browsers would give it, and must not be able to carry more than it shows.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from sallyport.control.names import is_host
from sallyport.model.access import OFFLINE_ACCESS
from sallyport.vocab.errors import Reason, Refused

MOST_CALLBACKS = 10
LONGEST = 2_000
CHALLENGE_PLACEHOLDER = "${YOUR_S256_CHALLENGE}"
STATE_PLACEHOLDER = "${YOUR_USER_BOUND_VALUE}"

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_PATH_OR_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$&'()+,;=:@/?-]|%[0-9A-F]{2})*", re.ASCII)
_NEEDLESS = re.compile(r"%(?:2D|2E|5F|7E|3[0-9]|[46][1-9A-F]|[57][0-9A])", re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_OURS = frozenset({"code", "state", "iss", "error", "error_description", "error_uri"})


def check_callbacks(urls: Sequence[str]) -> tuple[str, ...]:
    """The callback URLs of an integration, 1 to 10, each once. Raises `Refused`."""
    if not 1 <= len(urls) <= MOST_CALLBACKS:
        raise _invalid(
            f"An integration has 1 to {MOST_CALLBACKS} callback URLs, not {len(urls)}.",
            "Give at least one, such as https://example.com/callback.",
        )
    if len(set(urls)) != len(urls):
        raise _invalid("A callback URL is given twice.", "Give each callback URL once.")
    for url in urls:
        check_callback(url)
    return tuple(urls)


def check_callback(url: str) -> None:
    """An absolute https URL, or http to this very machine, in canonical form. Raises `Refused`."""
    wrong = _what_is_wrong(url)
    if wrong is not None:
        raise _invalid(
            f"{url[:200]!r} cannot be a callback URL: {wrong}.",
            "Give an absolute URL such as https://example.com/callback, or "
            "http://localhost:8080/callback for a client on the same machine.",
        )


def authorization_url(
    public_url: str,
    client_id: str,
    redirect_uri: str,
    scopes: Iterable[str],
    namespace: str,
    *,
    pkce: bool,
) -> str:
    """The complete URL to send a person to, contract section (f.2): nothing is left to add.

    `state` is a placeholder that the client's own value takes the place of; so is the challenge of
    a client that must use PKCE.
    """
    query = urlencode(
        {
            "audience": "api.atlassian.com",
            "client_id": client_id,
            "scope": " ".join([*sorted(scopes), OFFLINE_ACCESS]),
            "redirect_uri": redirect_uri,
            "sns": namespace,
            "response_type": "code",
            "prompt": "consent",
        },
        quote_via=quote,
        safe="",
    )
    challenge = (
        f"&code_challenge={CHALLENGE_PLACEHOLDER}&code_challenge_method=S256" if pkce else ""
    )
    return f"{public_url}/authorize?{query}{challenge}&state={STATE_PLACEHOLDER}"


def _what_is_wrong(url: str) -> str | None:
    if len(url) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "it holds a space, a backslash, a control character or a letter beyond ASCII"
    if "#" in url:
        return "it has a fragment"
    try:
        parts = urlsplit(url)
    except ValueError:
        return "it is not a URL"
    if not url.startswith(("https://", "http://")):
        return "it does not begin with https:// or http:// in lower case"
    if "@" in parts.netloc:
        return "it holds a user name"
    return (
        _wrong_authority(parts.scheme, parts.netloc)
        or _wrong_path(parts.path)
        or _wrong_query(url, parts.query)
    )


def _wrong_authority(scheme: str, authority: str) -> str | None:
    host, port = _split_port(authority)
    if port is not None:
        if _PORT.fullmatch(port) is None or int(port) > 65535:
            return "its port is not a number from 1 to 65535"
        if port == _DEFAULT_PORTS[scheme]:
            return f"it names the default port; leave :{port} away"
    if not (is_host(host) or _is_ipv6(host)):
        return "its host is not a host name in lower case"
    if scheme == "http" and host not in _LOOPBACK:
        return "http is only for localhost, 127.0.0.1 and [::1]; use https"
    return None


def _split_port(authority: str) -> tuple[str, str | None]:
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        return authority, None
    return host, port


def _is_ipv6(host: str) -> bool:
    if not (host.startswith("[") and host.endswith("]")):
        return False
    try:
        return str(ipaddress.IPv6Address(host[1:-1])) == host[1:-1]
    except ValueError:
        return False


def _wrong_path(path: str) -> str | None:
    if any(segment in (".", "..") for segment in path.split("/")):
        return "its path holds . or .. segments"
    if _PATH_OR_QUERY.fullmatch(path) is None:
        return "its path holds a character that must be percent-encoded, in upper case, or a *"
    if _NEEDLESS.search(path) is not None:
        return "its path percent-encodes a character that needs no encoding"
    return None


def _wrong_query(url: str, query: str) -> str | None:
    if url.endswith("?"):
        return "it ends in an empty query"
    if _PATH_OR_QUERY.fullmatch(query) is None:
        return "its query holds a character that must be percent-encoded, in upper case, or a *"
    names = {name for name, _value in parse_qsl(query, keep_blank_values=True)}
    taken = sorted(names & _OURS)
    if taken:
        return f"its query holds {', '.join(taken)}, which the answer is given in"
    return None


def _invalid(detail: str, fix: str) -> Refused:
    return Refused(Reason.INVALID_INPUT, detail, fix=fix, members={"field": "redirect_uris"})
