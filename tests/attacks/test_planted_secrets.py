"""T-SEC: no secret is where it has no business: logs, traces, audit, errors, the database, a
function, what the host shows of processes.

A platform of several processes is lived in with secrets that are known here; then everything that
it wrote, exported and answered, and the command line and environment of each of its processes and
of the apps', is searched for them, as they are, in Base64 and in hexadecimal. Planted bugs that
these tests were seen to fail on: the API token's secret in its audit row; a variable that is stored
unsealed; a digest of a client secret compared with `==`; a span with the request's headers, or with
its query; workers that inherit the platform's environment; a setting of the operator's on the
command line of the processes that take calls.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import hashlib
import json
import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from app_world import REDIRECT_URI, DeployedApp, claims_of, deploy_app
from collecting import Collector, collecting
from demo_world import Demo, demo_on
from sallyport.runtime.processes import descendants
from sallyport.vocab.ids import is_well_formed

SOURCES = Path(__file__).resolve().parents[2] / "src" / "sallyport"
PLANTED = "planted-in-the-platform-Zq7"
PASSWORD = "a password that nobody guesses 8841"
SOURCE = """
import os


def look(request, context):
    environments = [dict(os.environ)]
    for each in ("self", str(os.getppid()), "1"):
        try:
            with open(f"/proc/{each}/environ", "rb") as file:
                environments.append(file.read().decode("latin-1"))
        except OSError as error:
            environments.append(str(error))
    told = {"headers": dict(request.headers), "context": dict(context)}
    print("seen", told)
    return {"statusCode": 200, "body": {**told, "environments": environments}}
"""

OWN = {
    ("variable", "function"): "it may see the app's own variables",
    ("environment", "environments of the platform"): "the operator put it there",
}


@dataclass
class Lived:
    """What was secret, and everything that was written or answered to somebody else."""

    secrets: dict[str, str]
    texts: dict[str, bytes]
    traces: list[str] = field(default_factory=list)

    def found(self) -> list[tuple[str, str]]:
        return [
            (secret, where)
            for secret, value in self.secrets.items()
            for where, text in self.texts.items()
            if (secret, where) not in OWN and any(form in text for form in _forms(value))
        ]


def _forms(value: str) -> list[bytes]:
    raw = value.encode()
    whole = base64.b64encode(raw).rstrip(b"=")
    return [raw, whole[: len(whole) // 4 * 4 - 4], raw.hex().encode()]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("secrets")
    log = folder / "log"
    with log.open("wb") as written:
        before = os.dup(2)
        os.dup2(written.fileno(), 2)
        try:
            with (
                collecting() as collector,
                demo_on(
                    folder / "data",
                    *("--workers", "2"),
                    PLANTED_SECRET=PLANTED,
                    SALLYPORT_LOG_LEVEL="debug",
                    SALLYPORT_OTLP_ENDPOINT=collector.url,
                    SALLYPORT_TRACE_PERCENT="100",
                ) as demo,
            ):
                made = live(demo)
                made.texts |= processes(demo)
                made.texts["spans"] = spans(made, collector)
                export = demo.operator.api("GET", "/operator/audit/export").content
        finally:
            os.dup2(before, 2)
            os.close(before)
    made.texts["audit"] = export
    made.texts["log"] = log.read_bytes()
    made.texts["dump"] = dump(folder / "data")
    assert len(made.texts["log"]) > 0
    assert b"token:issued" in made.texts["dump"]
    return made


def live(demo: Demo) -> Lived:
    """Every kind of secret comes into being, is used, and is used wrongly."""
    url = str(demo.facts["public_url"])
    texts: dict[str, bytes] = {}
    operator = demo.operator
    person = {"email": "secret@people.example", "name": "S", "password": PASSWORD}
    account = operator.api("POST", "/operator/accounts", json=person).json()["account_id"]
    token = operator.api(
        "POST", f"/operator/accounts/{account}/api-tokens", json={"label": "x"}
    ).json()["token"]
    routes = [{"key": "seen", "path": "/look", "operation": "GET", "function": "look"}]
    routes = [{**each, "scopes": ["read:look:custom"]} for each in routes]
    functions = [{"key": "look", "handler": "index.look"}]
    app = deploy_app(demo, routes, functions, SOURCE)
    developer = demo.person("developer")
    variable = f"/apps/{app.app_id}/environments/development/variables/HIDDEN"
    developer.api("PUT", variable, json={"value": "hidden-variable-5573", "secret": True})
    looked = app.call("GET", "/look", params={"key": app.client_secret})
    texts["function"] = looked.content
    second = refresh(app, app.tokens["refresh_token"]).json()
    wrong = {
        "code": refresh_wrongly(app, "spac_" + "x" * 43, "authorization_code"),
        "refresh": refresh(app, second["refresh_token"] + "x"),
        "secret": httpx.post(
            f"{url}/oauth/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": second["refresh_token"],
                "client_id": app.client_id,
                "client_secret": app.client_secret + "x",
            },
        ),
        "login": httpx.post(
            f"{url}/api/v1/login", json={"email": person["email"], "password": PASSWORD + "x"}
        ),
        "call": app.call("GET", "/look", token=app.tokens["access_token"] + "x"),
        "basic": httpx.get(f"{url}/api/v1/me", auth=(person["email"], token + "x")),
        "path": app.call("GET", "/nothing", params={"t": "x"}),
    }
    for name, answer in wrong.items():
        assert answer.status_code >= 400, name
        texts[f"error {name}"] = answer.content + repr(answer.headers).encode()
    texts["variables"] = developer.api("GET", variable.rpartition("/")[0]).content
    shown = developer.api("GET", f"/integrations/{app.client_id}").content
    texts["integration"] = shown
    secrets = {
        "password": PASSWORD,
        "API token": token,
        "operator's API token": operator.api_token,
        "client secret": app.client_secret,
        "refresh token": app.tokens["refresh_token"],
        "second refresh token": second["refresh_token"],
        "access token": app.tokens["access_token"],
        "variable": "hidden-variable-5573",
        "environment": PLANTED,
    }
    assert claims_of(app.tokens["access_token"])["client_id"] == app.client_id
    calls = (looked, wrong["call"], wrong["path"])
    return Lived(secrets, texts, [each.headers["atl-traceid"] for each in calls])


def processes(demo: Demo) -> dict[str, bytes]:
    """The command line and the environment of every process, as the host's root reads them."""
    commands, environments = {}, {}
    for pid in (demo.pid, *descendants(demo.pid)):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            commands[pid] = Path(f"/proc/{pid}/cmdline").read_bytes()
            environments[pid] = Path(f"/proc/{pid}/environ").read_bytes()
    platform = {demo.pid} | {
        pid for pid, command in commands.items() if b"sallyport.cli.gateway" in command.split(b"\0")
    }
    apps = commands.keys() - platform
    assert len(platform) == 3, "one that begins them, two that take calls"
    assert len(apps) > 1, "a warden and a worker at least"
    return {
        "command lines": b"\n".join(commands.values()),
        "environments of the platform": b"\n".join(environments[pid] for pid in platform),
        "environments of app code": b"\n".join(environments[pid] for pid in apps),
    }


def spans(made: Lived, collector: Collector) -> bytes:
    """All that was exported of calls, once the last of them is there."""
    for trace in made.traces:
        collector.span(trace)
    return b"".join(collector.bodies)


def refresh(app: DeployedApp, token: str) -> httpx.Response:
    return refresh_wrongly(app, token, "refresh_token")


def refresh_wrongly(app: DeployedApp, token: str, kind: str) -> httpx.Response:
    name = "code" if kind == "authorization_code" else kind
    return httpx.post(
        f"{app.demo.facts['public_url']}/oauth/token",
        data={
            "grant_type": kind,
            name: token,
            "redirect_uri": REDIRECT_URI,
            "client_id": app.client_id,
            "client_secret": app.client_secret,
        },
    )


def dump(data: Path) -> bytes:
    """The database as text, and its files as they are, journal included."""
    (database,) = data.rglob("*.db")
    files = b"".join(each.read_bytes() for each in database.parent.glob(f"{database.name}*"))
    with sqlite3.connect(database) as connection:
        return files + "\n".join(connection.iterdump()).encode()


def test_no_secret_is_written_or_told(lived: Lived) -> None:
    assert lived.found() == []


def test_what_is_stored_is_a_digest(lived: Lived) -> None:
    text = lived.texts["dump"].decode("latin-1")
    assert "$argon2id$" in text, "of passwords"
    for secret in ("client secret", "refresh token", "API token"):
        digest = _sha256(lived.secrets[secret])
        assert digest in text, secret


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_function_sees_no_credential(lived: Lived) -> None:
    seen = json.loads(lived.texts["function"])
    assert "authorization" not in {name.lower() for name in seen["headers"]}
    assert lived.secrets["environment"] not in json.dumps(seen)


def test_secrets_are_known_by_their_prefix_and_their_checksum(lived: Lived) -> None:
    """So that scanners find what somebody has published."""
    for secret, prefix in (
        ("client secret", "spcs"),
        ("refresh token", "sprt"),
        ("API token", "spat"),
    ):
        value = lived.secrets[secret]
        assert is_well_formed(value, prefix), secret
        flipped = value[:-1] + ("a" if value[-1] != "a" else "b")
        assert not is_well_formed(flipped, prefix), "its checksum"


def test_digests_of_secrets_are_compared_in_constant_time() -> None:
    """In what signs clients in: no `==` or `in` between what was sent and what is stored."""
    checked = ("oauth/client_auth.py", "tokens/passwords.py", "web/csrf.py")
    for name in checked:
        tree = ast.parse((SOURCES / name).read_text())
        loose = [
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare)
            and isinstance(node.ops[0], (ast.Eq, ast.NotEq, ast.In))
            and "digest" in ast.unparse(node)
        ]
        assert loose == [], name


def test_nothing_known_was_left_out(lived: Lived) -> None:
    """The search itself finds what is there."""
    known = {
        "event": "token:issued",
        "attribute": "sallyport.decision_id",
        "flag": "--workers",
        "setting": "SALLYPORT_TRACE_PERCENT",
    }
    assert Lived(known, lived.texts).found() == [
        ("event", "audit"),
        ("event", "dump"),
        ("attribute", "spans"),
        ("flag", "command lines"),
        ("setting", "environments of the platform"),
    ]
