"""Where the platform is and who calls it: SALLYPORT_* variables, or what `login` stored.

A stored API token belongs to one platform's URL and is sent to no other. The file is
`$XDG_CONFIG_HOME/sallyport/credentials.json`, readable by its owner alone.
"""

from __future__ import annotations

import ipaddress
import json
import os
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sallyport.cli.failures import NOT_ALLOWED, USAGE, Failed

URL = "SALLYPORT_URL"
EMAIL = ("SALLYPORT_EMAIL", "FORGE_EMAIL")
API_TOKEN = ("SALLYPORT_API_TOKEN", "FORGE_API_TOKEN")
DEFAULT_URL = "http://localhost:8440"


@dataclass(frozen=True, slots=True)
class Stored:
    """What `login` remembers of one platform; `label` names the API token there, if it made it."""

    email: str
    api_token: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whom to be, and where."""

    url: str
    email: str
    api_token: str


def configured_url() -> str | None:
    """The platform's URL from SALLYPORT_URL, else from the last sign-in."""
    given = os.environ.get(URL)
    return checked_url(given) if given else _read()[0]


def credentials() -> Credentials:
    """Who is signed in. Raises `Failed` where nobody is."""
    url = configured_url()
    email, token = _first(EMAIL), _first(API_TOKEN)
    if email and token:
        return Credentials(url or DEFAULT_URL, email, token)
    if email or token:
        missing = API_TOKEN[0] if email else EMAIL[0]
        raise Failed(
            f"{missing} is not set, but its twin is.",
            fix=f"Set both {EMAIL[0]} and {API_TOKEN[0]}, or neither and run `sallyport login`.",
            exit_code=NOT_ALLOWED,
        )
    stored = _read()[1].get(url) if url else None
    if url is None or stored is None:
        where = f" to {url}" if url else ""
        raise Failed(
            f"You are not signed in{where}.",
            fix=f"Run `sallyport login`, or set {URL}, {EMAIL[0]} and {API_TOKEN[0]}.",
            exit_code=NOT_ALLOWED,
        )
    return Credentials(url, stored.email, stored.api_token)


def stored_for(url: str) -> Stored | None:
    """What `login` remembers of this platform."""
    return _read()[1].get(url)


def remember(url: str, stored: Stored) -> Path:
    """Stores a sign-in and makes this platform the current one. Returns the file."""
    _, accounts = _read()
    return _write(url, {**accounts, url: stored})


def forget(url: str) -> bool:
    """Forgets a sign-in; False where there was none."""
    current, accounts = _read()
    if url not in accounts:
        return False
    del accounts[url]
    _write(None if current == url else current, accounts)
    return True


def checked_url(text: str) -> str:
    """`text` as the base URL of a platform, without a trailing slash. Raises `Failed`."""
    fix = "Give the platform's address, for example https://apps.example.com."
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise Failed(f"'{text}' is not a URL.", fix=fix, exit_code=USAGE) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failed(f"'{text}' is not an http or https URL.", fix=fix, exit_code=USAGE)
    if parts.username or parts.password or parts.query or parts.fragment:
        detail = f"'{parts.hostname}' must be given without user, query and fragment."
        raise Failed(detail, fix=fix, exit_code=USAGE)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port is None else f"{host}:{port}"
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def credentials_file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    return folder / "sallyport" / "credentials.json"


def _first(names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


def _read() -> tuple[str | None, dict[str, Stored]]:
    path = credentials_file()
    try:
        with path.open(encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise Failed(
                    f"{path} can be read by others.",
                    fix=f"Run `chmod 600 {path}`; if others use this machine, sign in anew.",
                    exit_code=NOT_ALLOWED,
                )
            content = json.load(file)
        accounts = {url: Stored(**each) for url, each in content["accounts"].items()}
        current = content["current"]
    except FileNotFoundError:
        return None, {}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Failed(
            f"{path} is not in the form that `sallyport login` writes.",
            fix="Delete the file and run `sallyport login`.",
            exit_code=NOT_ALLOWED,
        ) from None
    return (current if current in accounts else None), accounts


def _write(current: str | None, accounts: dict[str, Stored]) -> Path:
    path = credentials_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = {
        "current": current,
        "accounts": {url: asdict(stored) for url, stored in accounts.items()},
    }
    # Made with mode 0600 and then renamed, so that no one sees it half written or open to others.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".credentials-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
