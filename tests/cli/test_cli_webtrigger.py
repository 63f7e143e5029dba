"""`sallyport webtrigger`: an admin of the site makes a URL, uses it, ends it."""

from __future__ import annotations

import httpx
from cli_world import Running, Terminal, app_id

TRIGGER = "modules:\n  webtrigger:\n    - key: hook\n      function: on-hook\n"
FUNCTION = "  function:\n    - key: on-hook\n      handler: hook.run\n"
SOURCE = 'def run(request):\n    return {"statusCode": 200, "body": "hello " + request.body}\n'


def test_a_url_is_made_listed_called_and_ended(
    running: Running, site: str, site_admin: Terminal
) -> None:
    dana = running.person("dana", **{site: "member"})
    dana.run("create", "Hooked", "-d", "hooked")
    developer = dana.moved(dana.folder / "hooked")
    manifest = developer.folder / "manifest.yml"
    text = manifest.read_text().replace("modules:\n", TRIGGER, 1)
    manifest.write_text(text.replace("  function:\n", FUNCTION, 1))
    (developer.folder / "src" / "hook.py").write_text(SOURCE)
    developer.run("custom-scopes", "create")
    developer.run("deploy")
    app = app_id(developer)
    where = ("--app", app, "-s", site, "-p", "jira")
    missing = site_admin.refusal("webtrigger", "create", "-f", "hook", *where)
    assert "install" in missing
    site_admin.run("install", *where)

    url = site_admin.out("webtrigger", "create", "-f", "on-hook", *where).strip()
    assert url.startswith(f"{running.url}/webtrigger/spwt_")
    assert site_admin.out("webtrigger", "create", *where).strip() == url
    assert httpx.post(url, content=b"you").text == "hello you"

    (line,) = site_admin.json("webtrigger", "list", "--app", app)
    assert (line["key"], line["url"], line["host"]) == ("hook", url, site)
    assert "no such" in site_admin.refusal("webtrigger", "create", "-f", "nope", *where)
    for command in (("create", *where), ("list", "--app", app)):
        developer.refusal("webtrigger", *command, exit_code=4)

    site_admin.run("webtrigger", "delete", "-i", line["id"])
    assert httpx.post(url).status_code == 404
    site_admin.refusal("webtrigger", "delete", "-i", line["id"])
    assert site_admin.json("webtrigger", "list", "--app", app)[0]["url"] is None
