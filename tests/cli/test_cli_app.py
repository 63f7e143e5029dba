"""An app from its first line to its removal, with the texts of contract sections (c.3), (j)."""

from __future__ import annotations

import re
from pathlib import Path

from cli_world import Running, Terminal, app_id


def new_app(running: Running, **sites: str) -> Terminal:
    """A developer of their own in the folder of a new app."""
    dev = running.person("dev", **sites)
    dev.run("create", "Fresh App")
    return dev.moved(dev.folder / "fresh-app")


def test_create_writes_the_id_and_keeps_the_comments(developer: Terminal) -> None:
    manifest = (developer.folder / "manifest.yml").read_text()
    assert re.search(r"^  id: ari:cloud:ecosystem::app/[0-9a-f-]{36}$", manifest, re.MULTILINE)
    assert manifest.startswith("# The app's manifest")
    assert app_id(developer) in developer.out("apps", "list")


def test_create_leaves_a_full_folder_alone(developer: Terminal) -> None:
    here = developer.moved(developer.folder.parent)
    assert "exists and is not empty" in here.refusal("create", "Other", "-d", "app")
    assert len(here.json("apps", "list")) == 1


def test_register_gives_an_app_of_its_own(running: Running, developer: Terminal) -> None:
    said = developer.refusal("register", "Again")
    assert f"registered already: ari:cloud:ecosystem::app/{app_id(developer)}" in said

    copier = running.person("carl")
    manifest = copier.folder / "manifest.yml"
    before = (developer.folder / "manifest.yml").read_text()
    manifest.write_text(before)
    copier.run("register", "Copied App")
    assert app_id(copier) != app_id(developer)
    assert manifest.read_text() == before.replace(app_id(developer), app_id(copier))


def test_no_app_is_made_for_a_manifest_that_cannot_name_it(running: Running) -> None:
    carl = running.person("carl")
    for text in ("app: [\n", "app: 7\n", "app: {}\napp: {}\n", "- a list\n"):
        (carl.folder / "manifest.yml").write_text(text)
        carl.refusal("register", "Nowhere App")
        assert (carl.folder / "manifest.yml").read_text() == text
    assert carl.json("apps", "list") == []


def test_environments(running: Running) -> None:
    dev = new_app(running)
    out = dev.out("environments", "list")
    assert out.startswith("✔ Environments fetched\nName ")
    assert [each["key"] for each in dev.json("environments", "list")] == [
        "development",
        "staging",
        "production",
    ]
    dev.run("environments", "create", "-e", "dev-dana", "--non-interactive")
    said = dev.refusal("variables", "list", "-e", "nowhere")
    assert said == (
        "Error: Environment with name nowhere not defined. Create this environment with "
        "sallyport environments create -e nowhere before proceeding.\n"
    )
    assert "Invalid environment name" in dev.refusal("environments", "create", "-e", "No Way")
    dev.run("environments", "delete", "-e", "dev-dana")
    dev.refusal("environments", "delete", "-e", "development")
    assert len(dev.json("environments", "list")) == 3


def test_default_is_development(running: Running) -> None:
    dev = new_app(running)
    dev.run("variables", "set", "COLOUR", "green", "-e", "default")
    assert dev.json("variables", "list", "-e", "development") == [
        {"key": "COLOUR", "value": "green", "secret": False}
    ]


def test_variables(running: Running) -> None:
    dev = new_app(running)
    dev.run("variables", "set", "COLOUR", "green")
    dev.run("variables", "set", "KEY", "--encrypt", stdin="s3cret\nline two\n")
    done = dev.run("variables", "list")
    lines = [re.split(r"  +", line) for line in done.stdout.splitlines()]
    assert lines[0] == ["Encrypted?", "Key", "Value"]
    assert ["no", "COLOUR", "green"] in [[cell.strip() for cell in line] for line in lines]
    assert ["yes", "KEY", "****"] in [[cell.strip() for cell in line] for line in lines]
    assert "s3cret" not in done.stdout + str(dev.json("variables", "list"))
    dev.run("variables", "unset", "KEY")
    assert [each["key"] for each in dev.json("variables", "list")] == ["COLOUR"]
    dev.refusal("variables", "set", "NOT A KEY", "x")
    assert "VALUE is missing" in dev.refusal("variables", "set", "EMPTY", exit_code=2)


def test_scopes_then_deploy(running: Running) -> None:
    dev = new_app(running)
    said = dev.refusal("deploy")
    assert re.search(
        r"Deployment failed due to missing scopes\. Contact your admin to register the missing "
        r"scopes, then try again\. \(requestId: [0-9a-f-]{36}\)",
        said,
    )
    assert "read:note:custom, write:note:custom" in said
    assert "CUSTOM_SCOPES_NOT_AVAILABLE" in dev.run("lint", "-e", "default", exit_code=3).stdout

    out = dev.out("custom-scopes", "create")
    assert out.startswith("✔ Successfully submitted custom scopes for creation\n")
    listed = dev.out("custom-scopes")
    assert listed == dev.out("custom-scopes", "list", "-e", "development")
    assert listed.startswith("✔ Completed fetching custom scopes\nName ")
    assert [(each["name"], each["displayName"]) for each in dev.json("custom-scopes", "list")] == [
        ("read:note:custom", "Read notes"),
        ("write:note:custom", "Write notes"),
    ]
    dev.run("lint", "-e", "development")

    assert dev.out("deploy", "--tag", "first") == (
        "Deploying Fresh App to development...\n"
        "Running sallyport lint...\n"
        "✔ Deployed Fresh App 1.1 to development\n"
    )
    assert dev.json("deploy", "-f")["version"] == "1.2"
    versions = dev.json("deploy", "list")
    assert [(each["version"], each["live"], each["tag"]) for each in versions] == [
        ("1.2", True, None),
        ("1.1", False, "first"),
    ]
    assert "Both declare the same." in dev.out("deploy", "compare", "1.1", "1.2")
    assert "again as 1.3 to development" in dev.out("deploy", "rollback", "1.1")
    assert "no version 7.1" in dev.refusal("deploy", "rollback", "7.1")
    assert "missing scopes" in dev.refusal("deploy", "-e", "staging")


def test_a_deploy_shows_that_packages_are_resolved_and_names_what_cannot_be(
    running: Running,
) -> None:
    dev = new_app(running)
    dev.run("custom-scopes", "create")
    requirements = dev.folder / "requirements.txt"
    requirements.write_text("# nothing yet\n")
    assert dev.out("deploy") == (
        "Deploying Fresh App to development...\n"
        "Running sallyport lint...\n"
        "Resolving the app's packages...\n"
        "✔ Deployed Fresh App 1.1 to development\n"
    )
    requirements.write_text("fine\n--index-url http://elsewhere\n")
    assert "requirements.txt:2: '--index-url" in dev.refusal("deploy")


def test_scopes_that_the_platform_refuses(running: Running) -> None:
    dev, helper = new_app(running), running.person("cora")
    email = helper.variables["SALLYPORT_EMAIL"]
    dev.run("apps", "members", "set", email, "--role", "contributor")
    assert email in dev.out("apps", "members", "list")
    said = helper.moved(dev.folder).refusal("custom-scopes", "create", exit_code=4)
    lines = said.splitlines()
    assert lines[0] == "Error: Failed to submit custom scopes for creation on the server:"
    assert lines[1].startswith("- not_allowed (403): ")
    dev.run("apps", "members", "remove", email)
    helper.refusal("environments", "list", "--app", app_id(dev))


def test_errors_of_the_manifest_stop_a_deploy_here_and_there(running: Running) -> None:
    dev = new_app(running)
    dev.run("custom-scopes", "create")
    manifest = dev.folder / "manifest.yml"
    manifest.write_text(manifest.read_text().replace("operation: GET", "operation: FETCH", 1))
    here = dev.run("deploy", exit_code=3)
    assert "allowed values are" in here.stdout
    assert here.stderr.startswith("Error: Nothing was deployed: lint found 1 error, 0 warnings.\n")
    there = dev.run("deploy", "--no-verify", exit_code=1)
    assert "allowed values are" in there.stderr
    assert re.search(r"^manifest\.yml:\d+:\d+  ", there.stderr, re.MULTILINE)
    assert dev.json("deploy", "list") == []


def test_a_link_in_the_folder_is_not_uploaded(running: Running) -> None:
    dev = new_app(running)
    dev.run("custom-scopes", "create")
    (dev.folder / "passwd").symlink_to(Path("/etc/passwd"))
    assert "passwd is a link" in dev.run("deploy", exit_code=1).stderr


def test_a_major_version_wants_approval_and_an_upgrade(running: Running) -> None:
    host = running.site()
    dev = new_app(running, **{host: "admin"})
    dev.run("custom-scopes", "create")
    dev.run("deploy")
    installed = dev.run("install", "-s", host, "-p", "jira", "--non-interactive")
    assert installed.stdout == f"✔ Installed Fresh App 1.1 (development) for jira on {host}\n"
    assert "sallyport admin rest-apis enable" in installed.stderr

    manifest = dev.folder / "manifest.yml"
    manifest.write_text(manifest.read_text() + "permissions:\n  scopes:\n    - read:jira-work\n")
    done = dev.run("deploy", exit_code=1)
    assert "--approve MAJOR_VERSION_RULE" in done.stderr
    done = dev.run("deploy", "--approve", "MAJOR_VERSION_RULE")
    assert done.stdout.endswith("✔ Deployed Fresh App 2.0 to development\n")
    [found] = dev.json("install", "list", "-s", host)
    assert (found["version"], found["newest_version"]) == ("1.1", "2.0")
    out = dev.out("install", "--upgrade", "-s", host, "-p", "jira")
    assert out == f"✔ Upgraded Fresh App 2.0 (development) for jira on {host}\n"

    out = dev.out("uninstall", "-s", host, "-p", "jira")
    assert out == f"✔ Uninstalled from jira on {host}\n"
    assert dev.out("install", "list") == "The app is not installed anywhere.\n"
    dev.refusal("uninstall", "-s", host, "-p", "jira")
    dev.refusal("uninstall", "-i", found["installation_id"])


def test_only_a_site_admin_installs(deployed: Terminal, site: str) -> None:
    deployed.refusal("install", "-s", site, "-p", "confluence", exit_code=4)
    said = deployed.refusal("install", "-s", site, exit_code=2)
    assert said == "Error: --product is missing.\nFix: Give --product.\n"
