"""What a command says when there is no platform, a wrong one, or a hostile one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cli_world import Terminal, stored_credentials

SIGNED_IN = {"SALLYPORT_EMAIL": "ada@acme.example", "SALLYPORT_API_TOKEN": "spat_x"}
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def answering(answer: Callable[[str], Answer]) -> Iterator[str]:
    """A server at a free port that says what `answer` makes of the path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def json_answer(content: object, status: int = 200) -> Answer:
    return status, {"content-type": "application/json"}, json.dumps(content).encode()


def test_nobody_is_signed_in(shell: Terminal) -> None:
    said = shell.refusal("whoami", exit_code=4)
    assert said == (
        "Error: You are not signed in.\n"
        "Fix: Run `sallyport login`, or set SALLYPORT_URL, SALLYPORT_EMAIL and "
        "SALLYPORT_API_TOKEN.\n"
    )


def test_half_of_the_variables_is_an_error_and_not_another_account(shell: Terminal) -> None:
    said = shell.refusal("whoami", exit_code=4, SALLYPORT_EMAIL="ada@acme.example")
    assert "SALLYPORT_API_TOKEN is not set" in said


def test_nobody_listens(shell: Terminal) -> None:
    said = shell.refusal("whoami", exit_code=5, SALLYPORT_URL="http://127.0.0.1:1", **SIGNED_IN)
    assert "The platform at http://127.0.0.1:1 cannot be reached" in said
    assert "Fix: Check SALLYPORT_URL" in said


@pytest.mark.parametrize(
    "url", ["not a url", "ftp://x.example", "http://", "http://[x", "http://a:b@c", "http://x:y"]
)
def test_the_url_is_no_url(shell: Terminal, url: str) -> None:
    shell.refusal("whoami", exit_code=2, SALLYPORT_URL=url, **SIGNED_IN)


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b"<h1>Welcome</h1>"),
        (200, {"content-type": "application/json"}, b"{"),
        (200, {}, b"\xff\xfe"),
        (404, {}, b'{"message":"not here"}'),
        (500, {}, b""),
        (503, {}, b"busy"),
        (302, {"location": "https://elsewhere.example/"}, b""),
    ],
)
def test_what_answers_is_not_the_control_api(shell: Terminal, answer: Answer) -> None:
    with answering(lambda _: answer) as url:
        shell.refusal("sites", "list", exit_code=5, SALLYPORT_URL=url, **SIGNED_IN)


@pytest.mark.parametrize("content", [[], {}, {"items": 3}, {"items": ["x"]}, "text", 7])
def test_a_list_that_is_no_list(shell: Terminal, content: object) -> None:
    with answering(lambda _: json_answer(content)) as url:
        shell.refusal("sites", "list", exit_code=5, SALLYPORT_URL=url, **SIGNED_IN)


def test_answers_without_the_members_that_are_needed(shell: Terminal) -> None:
    with answering(lambda _: json_answer({})) as url:
        shell.refusal("whoami", exit_code=5, SALLYPORT_URL=url, **SIGNED_IN)


def test_nothing_from_the_platform_acts_on_the_terminal(shell: Terminal) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp\r\n"
    item = {"host": evil, "name": evil, "role": evil, "site_id": evil}
    with answering(lambda _: json_answer({"items": [item]})) as url:
        for arguments in (["sites", "list"], ["sites", "list", "--json"]):
            out = shell.out(*arguments, SALLYPORT_URL=url, **SIGNED_IN)
            assert not set(out) & set("\x1b\x07\x9b\u202e\r")
    problem = {"status": 422, "reason": "invalid_input", "detail": evil, "fix": evil}
    with answering(lambda _: json_answer(problem, 422)) as url:
        said = shell.refusal("sites", "list", SALLYPORT_URL=url, **SIGNED_IN)
    assert not set(said) & set("\x1b\x07\x9b\u202e\r")
    assert len(said.splitlines()) == 2


def test_json_is_what_the_platform_sent(shell: Terminal) -> None:
    items = [{"host": "a.example", "name": "Ä \x9b\u202e", "more": [1, None, {"x": "\n"}]}]
    with answering(lambda _: json_answer({"items": items})) as url:
        assert shell.json("sites", "list", SALLYPORT_URL=url, **SIGNED_IN) == items


def test_a_stored_token_is_sent_to_no_other_platform(shell: Terminal) -> None:
    stored = {"email": "ada@acme.example", "api_token": "spat_secret", "label": None}
    file = stored_credentials(shell)
    file.parent.mkdir(parents=True)
    file.write_text(
        json.dumps(
            {"current": "https://good.example", "accounts": {"https://good.example": stored}}
        )
    )
    file.chmod(0o600)
    asked: list[str] = []

    def answer(path: str) -> Answer:
        asked.append(path)
        return json_answer({})

    with answering(answer) as url:
        said = shell.refusal("whoami", exit_code=4, SALLYPORT_URL=url)
    assert asked == []
    assert f"You are not signed in to {url}." in said


def test_credentials_that_others_can_read_are_not_used(shell: Terminal) -> None:
    file = stored_credentials(shell)
    file.parent.mkdir(parents=True)
    file.write_text('{"current": null, "accounts": {}}')
    file.chmod(0o644)
    said = shell.refusal("whoami", exit_code=4)
    assert "can be read by others" in said
    assert "chmod 600" in said


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"current": 1, "accounts": {"x": {}}}', "\0"])
def test_credentials_in_another_form(shell: Terminal, content: str) -> None:
    file = stored_credentials(shell)
    file.parent.mkdir(parents=True)
    file.write_text(content)
    file.chmod(0o600)
    shell.refusal("whoami", exit_code=4)


def test_no_manifest_and_no_app(shell: Terminal) -> None:
    assert "--app" in shell.refusal("environments", "list", exit_code=2)
    assert "is not an app id" in shell.refusal("environments", "list", "--app", "x", exit_code=2)
    assert "There is no manifest.yml" in shell.refusal("deploy")
    assert "There is no manifest.yml" in shell.refusal("lint")
    (shell.folder / "manifest.yml").write_text("app:\n  runtime: {name: python3}\n")
    assert "sallyport register" in shell.refusal("deploy")


def test_nothing_is_asked_where_nobody_can_answer(shell: Terminal) -> None:
    (shell.folder / "manifest.yml").write_text("app:\n  runtime: {name: python3}\n")
    with answering(lambda _: json_answer({"items": []})) as url:
        variables = {**SIGNED_IN, "SALLYPORT_URL": url}
        assert "NAME is missing" in shell.refusal("register", exit_code=2, **variables)
        assert "NAME is missing" in shell.refusal("create", exit_code=2, **variables)
        assert "--email is missing" in shell.refusal("login", exit_code=2)


def test_a_name_cannot_leave_its_place_in_the_path(shell: Terminal) -> None:
    asked: list[str] = []

    def answer(path: str) -> Answer:
        asked.append(path)
        return json_answer({"reason": "not_found", "detail": "none", "status": 404}, 404)

    with answering(answer) as url:
        variables = {**SIGNED_IN, "SALLYPORT_URL": url}
        shell.refusal("admin", "apps", "-s", "a/../../x?y#z", **variables)
        shell.refusal("admin", "apps", "-s", "..", exit_code=2, **variables)
    assert asked == ["/api/v1/admin/sites/a%2F..%2F..%2Fx%3Fy%23z/apps"]


def test_verbose_shows_requests_and_no_secret(shell: Terminal) -> None:
    with answering(lambda _: json_answer({"items": []})) as url:
        done = shell.run("sites", "list", "--verbose", SALLYPORT_URL=url, **SIGNED_IN)
    assert f"GET {url}/api/v1/sites -> 200" in done.stderr
    assert "spat_x" not in done.stderr


def test_forge_variables_sign_in_too(shell: Terminal) -> None:
    with answering(lambda _: json_answer({"items": []})) as url:
        out = shell.out(
            *("sites", "list"),
            SALLYPORT_URL=url,
            FORGE_EMAIL="ada@acme.example",
            FORGE_API_TOKEN="x",
        )
    assert "not a member of any site" in out
