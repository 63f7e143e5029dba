"""Names, emails and hosts as people give them, brought to one plain form or refused."""

from __future__ import annotations

import re
import unicodedata

from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.urls import read_url

NAME_LIMIT = 100
WORDS_LIMIT = 500
EMAIL_LIMIT = 254

_JOINERS = "\u200c\u200d"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LOCAL_PART = re.compile(r"[^\s@:;,<>()\[\]\\\"]+")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.ASCII)
_IPV4 = re.compile(r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}")
_UPSTREAM_FIX = "Give http(s)://host[:port] and, if need be, a path: https://jira.example.com."
_PRODUCT_KEY = re.compile(r"[a-z][a-z0-9-]{0,29}", re.ASCII)


def clean_name(text: str, what: str, *, limit: int = NAME_LIMIT) -> str:
    """`text` in NFC, spaces trimmed and single. `what` says in the refusal what it names; its last
    word is the refusal's `field`, such as `name` of "app's name".

    Control, bidirectional and other invisible characters are refused: a name is shown to people
    who decide by it. Raises `Refused`.
    """
    field = what.rpartition(" ")[2]
    name = unicodedata.normalize("NFC", text)
    if _hides_something(name):
        raise _invalid(
            f"The {what} holds a control or invisible character.",
            "Use letters, digits, punctuation and spaces.",
            field,
        )
    name = " ".join(name.split())
    if not name:
        raise _invalid(f"The {what} is empty.", f"Give a {what} of 1 to {limit} characters.", field)
    if len(name) > limit:
        raise _invalid(
            f"The {what} has {len(name)} characters; at most {limit} are allowed.",
            f"Give a shorter {what}.",
            field,
        )
    return name


def clean_words(text: str, what: str, *, needed: bool = False) -> str:
    """Words of one person to another, on one line: `clean_name` of up to 500 characters.

    Empty where they may be left out. Raises `Refused`.
    """
    if not needed and not text.strip():
        return ""
    return clean_name(text, what, limit=WORDS_LIMIT)


def clean_email(text: str) -> str:
    """An email address in NFC and lower case. Raises `Refused`."""
    email = unicodedata.normalize("NFC", text).strip().lower()
    local, at, domain = email.rpartition("@")
    if (
        not at
        or len(email) > EMAIL_LIMIT
        or _hides_something(email)
        or _LOCAL_PART.fullmatch(local) is None
        or not is_host(domain)
    ):
        raise _invalid(
            "That is not an email address.", "Give an address such as ada@example.com.", "email"
        )
    return email


def clean_host(text: str) -> str:
    """A DNS name or an IPv4 address in lower case, without scheme or port. Raises `Refused`."""
    host = text.strip().lower()
    if not is_host(host):
        raise _invalid(
            "That is not a host name.",
            "Give a DNS name such as acme.example.com or an IPv4 address, no scheme, no port.",
        )
    return host


def is_host(text: str) -> bool:
    """Whether `text` is a DNS name in lower case (RFC 1123) or an IPv4 address."""
    labels = text.split(".")
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    # A name that ends in a number is read as an IPv4 address by browsers, so it must be one.
    return not labels[-1].isdigit() or _IPV4.fullmatch(text) is not None


def check_product_key(key: str) -> str:
    """A product's key as it stands in URLs. Raises `Refused`."""
    if _PRODUCT_KEY.fullmatch(key) is None:
        raise _invalid(
            "That is not a product key.",
            "Use 1 to 30 lower-case letters, digits and hyphens, beginning with a letter.",
        )
    return key


def check_upstream(text: str | None) -> str | None:
    """The URL of a product's APIs, without a slash at its end; None for none. Raises `Refused`."""
    if not text:
        return None
    try:
        url = read_url(text)
    except ValueError as error:
        raise _invalid(f"That is not an upstream: {error}.", _UPSTREAM_FIX) from None
    if "?" in text or "#" in text:
        raise _invalid("An upstream has neither a query nor a fragment.", _UPSTREAM_FIX)
    return str(url).rstrip("/")


def _hides_something(text: str) -> bool:
    return any(
        unicodedata.category(character) in _HIDDEN and not _joins(text, index)
        for index, character in enumerate(text)
    )


def _joins(text: str, index: int) -> bool:
    """Joiners that scripts and emoji need stand between two characters that are not ASCII."""
    return (
        text[index] in _JOINERS
        and 0 < index < len(text) - 1
        and not text[index - 1].isascii()
        and not text[index + 1].isascii()
    )


def _invalid(detail: str, fix: str, field: str | None = None) -> Refused:
    members = {"field": field} if field is not None else None
    return Refused(Reason.INVALID_INPUT, detail, fix=fix, members=members)
