"""The control API over HTTP: requests, and refusals turned into `Failed`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import click
import httpx

from sallyport.cli.credentials import Credentials, credentials, is_loopback
from sallyport.cli.failures import NOT_ALLOWED, REFUSED, UNREACHABLE, USAGE, Failed
from sallyport.cli.terminal import note

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
# A deployment waits for the packages that the app asks for.
_UPLOAD_TIMEOUT = httpx.Timeout(300.0, connect=10.0)


class Refusal(Failed):
    """A problem document of the platform (RFC 9457), with its `status`, `reason` and members."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        detail = problem.get("detail") or problem.get("title") or f"The platform answered {status}."
        fix = problem.get("fix")
        super().__init__(
            str(detail),
            fix=None if fix is None else str(fix),
            lines=_findings(problem),
            exit_code=NOT_ALLOWED if status in (401, 403) else REFUSED,
        )
        self.status = status
        self.reason = str(problem.get("reason", ""))
        self.problem = problem


class Members(dict[str, Any]):
    """A JSON object of the platform. One without a member that is needed is a `Failed`."""

    def __missing__(self, key: str) -> Any:
        raise Failed(
            f"The platform's answer has no '{key}'.",
            fix="Check that the platform and this program are of the same version: "
            "`sallyport --version`.",
            exit_code=UNREACHABLE,
        )


class Api:
    """The control API of one platform, as one account or, for sign-in, as nobody.

    `path` arguments are the segments below `/api/v1`, quoted here.
    """

    def __init__(self, url: str, auth: tuple[str, str] | None) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=f"{url}/api/v1",
            auth=httpx.BasicAuth(*auth) if auth else None,
            headers={
                "accept": "application/json",
                "user-agent": "sallyport-cli",
                **_audit_reason(),
            },
            timeout=_TIMEOUT,
            # A proxy has no way to this machine's loopback interface.
            trust_env=not is_loopback(url),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, *path: str, **params: Any) -> dict[str, Any]:
        return self._send("GET", path, params)

    def items(self, *path: str, **params: Any) -> list[dict[str, Any]]:
        """The items of a list."""
        found = self._send("GET", path, params)["items"]
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self._not_sallyport()
        return found

    def lines(self, *path: str, **params: Any) -> Iterator[str]:
        """The lines of a text that comes bit by bit."""
        target = "".join(f"/{_segment(part)}" for part in path)
        wanted = {name: value for name, value in params.items() if value is not None}
        try:
            with self._http.stream("GET", target, params=wanted) as answer:
                if not answer.is_success:
                    answer.read()
                    self._read(answer)
                yield from answer.iter_lines()
        except httpx.TimeoutException:
            raise self._unreachable("did not answer in time") from None
        except httpx.HTTPError as error:
            raise self._unreachable(f"stopped answering: {error}") from None

    def post(self, *path: str, json: Any = None) -> dict[str, Any]:
        return self._send("POST", path, {}, json=json)

    def put(self, *path: str, json: Any = None) -> dict[str, Any]:
        return self._send("PUT", path, {}, json=json)

    def patch(self, *path: str, json: Any) -> dict[str, Any]:
        return self._send("PATCH", path, {}, json=json)

    def delete(self, *path: str, **params: Any) -> None:
        self._send("DELETE", path, params)

    def upload(self, *path: str, archive: bytes, **params: Any) -> dict[str, Any]:
        """Sends a zip archive."""
        return self._send("POST", path, params, archive=archive)

    def _send(
        self,
        method: str,
        path: tuple[str, ...],
        params: Mapping[str, Any],
        *,
        json: Any = None,
        archive: bytes | None = None,
    ) -> dict[str, Any]:
        target = "".join(f"/{_segment(part)}" for part in path)
        extra: dict[str, Any] = {} if json is None else {"json": json}
        if archive is not None:
            extra = {
                "content": archive,
                "headers": {"content-type": "application/zip"},
                "timeout": _UPLOAD_TIMEOUT,
            }
        started = time.monotonic()
        try:
            answer = self._http.request(
                method,
                target,
                params={name: value for name, value in params.items() if value is not None},
                **extra,
            )
        except httpx.TimeoutException:
            raise self._unreachable("did not answer in time") from None
        except (httpx.InvalidURL, UnicodeError):
            raise Failed(f"{self.url} is not a usable URL.", exit_code=USAGE) from None
        except httpx.HTTPError as error:
            raise self._unreachable(f"cannot be reached: {error}") from None
        if click.get_current_context().find_root().meta.get("sallyport.verbose"):
            took = (time.monotonic() - started) * 1000
            note(f"{method} {answer.request.url} -> {answer.status_code} in {took:.0f} ms")
        return self._read(answer)

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        if answer.is_redirect:
            raise Failed(
                f"{self.url} answers with a redirect to {answer.headers.get('location', '')}.",
                fix="Use the address that it names, with https where it says https.",
                exit_code=UNREACHABLE,
            )
        if answer.status_code == 204:
            return Members()
        try:
            content = json.loads(answer.content, object_hook=Members)
        except (ValueError, RecursionError):
            content = None
        if answer.is_success and isinstance(content, Members):
            return content
        if isinstance(content, Members) and "reason" in content:
            raise Refusal(answer.status_code, content)
        if answer.status_code in (502, 503, 504):
            raise self._unreachable(f"is not ready: it answers {answer.status_code}")
        raise self._not_sallyport()

    def _unreachable(self, what: str) -> Failed:
        return Failed(
            f"The platform at {self.url} {what}.",
            fix="Check SALLYPORT_URL and that the platform runs; `sallyport up` starts one.",
            exit_code=UNREACHABLE,
        )

    def _not_sallyport(self) -> Failed:
        return Failed(
            f"What answers at {self.url} is not Sallyport's control API.",
            fix="Check SALLYPORT_URL: it is the platform's public address, without a path.",
            exit_code=UNREACHABLE,
        )


def signed_in(account: Credentials | None = None) -> Api:
    """The control API as the account that is signed in. Raises `Failed` where nobody is."""
    account = account or credentials()
    return Api(account.url, (account.email, account.api_token))


def anonymous(url: str) -> Api:
    """The control API as nobody: for sign-in and for the first setup."""
    return Api(url, None)


def warn_of_plain_http(url: str) -> None:
    """A secret is about to be sent; says so where it can be read on the way."""
    if url.startswith("http:") and not is_loopback(url):
        note(f"Warning: {url} is not https; what you send can be read on the way.")


def _audit_reason() -> dict[str, str]:
    """Why the person does what he does, for the audit (`sallyport --reason`)."""
    reason = click.get_current_context().find_root().meta.get("sallyport.reason", "")
    return {"audit-reason": quote(reason)} if reason else {}


def _segment(part: str) -> str:
    if part in ("", ".", ".."):
        raise Failed(f"'{part}' cannot be a name or an id.", exit_code=USAGE)
    return quote(part, safe="")


def _findings(problem: Mapping[str, Any]) -> list[str]:
    lines = []
    for found in _dicts(problem.get("diagnostics")):
        place = ":".join(
            str(found[key]) for key in ("file", "line", "column") if found.get(key) is not None
        )
        fix = f" {found['fix']}" if found.get("fix") else ""
        lines.append(f"{place}  {found.get('message', '')}{fix}".strip())
    return lines


def _dicts(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
