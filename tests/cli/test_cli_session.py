"""Signing in, and what an operator does for a new customer."""

from __future__ import annotations

import stat
from pathlib import Path

from cli_world import PASSWORD, Running, Terminal, fresh_terminal, stored_credentials


def test_the_first_operator_is_signed_in(running: Running) -> None:
    out = running.operator.out("whoami")
    assert out.startswith("Logged in as Olga (olga@platform.example)\nAccount ID: ")
    assert "Role      operator" in out


def test_there_is_one_first_operator_only(running: Running, shell: Terminal) -> None:
    said = shell.refusal(
        *("operator", "claim", "--url", running.url, "--token", "spsu_x"),
        *("--email", "eve@x.example", "--name", "Eve", "--password-stdin"),
        stdin=f"{PASSWORD}\n",
        exit_code=4,
    )
    assert "This setup link does not work" in said
    assert not stored_credentials(shell).exists()


def test_login_by_password_stores_a_token_of_its_own(running: Running, tmp_path: Path) -> None:
    email = "lena@people.example"
    running.operator.run(
        *("operator", "accounts", "create", email, "--name", "Lena", "--password-stdin"),
        stdin=f"{PASSWORD}\n",
    )
    lena = fresh_terminal(tmp_path)
    out = lena.out(
        *("login", "--url", f"{running.url}/", "-u", email, "--password-stdin"),
        stdin=f"{PASSWORD}\n",
    )
    assert out == f"✔ Logged in as Lena ({email})\n"
    file = stored_credentials(lena)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text()
    assert lena.json("whoami")["email"] == email

    tokens = lena.json("api-tokens", "list")
    assert len(tokens) == 1
    other = lena.out("api-tokens", "create", "for CI").strip()
    assert lena.out("logout") == f"✔ Logged out of {running.url}\n"
    lena.refusal("whoami", exit_code=4)
    variables = {"SALLYPORT_URL": running.url, "SALLYPORT_EMAIL": email}
    left = lena.json("api-tokens", "list", SALLYPORT_API_TOKEN=other, **variables)
    assert [each["label"] for each in left] == ["for CI"]

    lena.run("api-tokens", "revoke", left[0]["id"], SALLYPORT_API_TOKEN=other, **variables)
    lena.refusal("whoami", exit_code=4, SALLYPORT_API_TOKEN=other, **variables)


def test_login_by_token(running: Running, tmp_path: Path) -> None:
    ada = running.person("ada")
    email, token = (ada.variables[name] for name in ("SALLYPORT_EMAIL", "SALLYPORT_API_TOKEN"))
    here = fresh_terminal(tmp_path)
    here.run("login", "--url", running.url, "-u", email, "-t", "-", stdin=f"{token}\n")
    assert here.json("whoami")["email"] == email
    here.run("logout")
    assert ada.json("whoami")["email"] == email, "a token that login did not make is not ended"


def test_a_wrong_secret_stores_nothing(running: Running, tmp_path: Path) -> None:
    here = fresh_terminal(tmp_path)
    arguments = ("login", "--url", running.url, "-u", "olga@platform.example")
    here.refusal(*arguments, "-t", "spat_wrong", exit_code=4)
    here.refusal(*arguments, "--password-stdin", stdin="wrong password\n", exit_code=4)
    here.refusal(*arguments, "--password-stdin", stdin="\n", exit_code=2)
    assert not stored_credentials(here).exists()


def test_only_operators_provision(running: Running) -> None:
    eve = running.person("eve")
    said = eve.refusal("operator", "accounts", "list", exit_code=4)
    assert said.startswith("Error: Only an operator of this platform may do this.\nFix: ")


def test_a_customer_is_provisioned(running: Running) -> None:
    olga = running.operator
    made = olga.json("operator", "organizations", "create", "Globex")
    assert made["name"] in olga.out("operator", "organizations", "list")
    assert "Declared the product crm" in olga.out("operator", "products", "create", "crm", "CRM")
    assert {"crm", "jira", "confluence"} <= {
        each["key"] for each in olga.json("operator", "products", "list")
    }
    site = olga.json(
        *("operator", "sites", "create", "globex.example", "--organization", made["id"]),
        *("-p", "crm", "-p", "jira"),
    )
    assert sorted(site["products"]) == ["crm", "jira"]
    assert "globex.example" in olga.out("operator", "sites", "list")

    hank = running.person("hank", **{"globex.example": "member"})
    email = hank.variables["SALLYPORT_EMAIL"]
    assert "globex.example" in hank.out("sites", "list")
    assert [(each["email"], each["role"]) for each in hank_members(olga)] == [(email, "member")]

    olga.run("operator", "org-admins", "set", email, "--organization", made["id"])
    listed = olga.json("operator", "org-admins", "list", "--organization", made["id"])
    assert [each["email"] for each in listed] == [email]
    assert hank.json("sites", "list")[0]["role"] == "admin"
    olga.run("operator", "org-admins", "remove", email, "--organization", made["id"])
    olga.run("operator", "members", "remove", email, "-s", "globex.example")
    assert hank_members(olga) == []

    olga.run("operator", "accounts", "update", email, "--deactivate")
    hank.refusal("whoami", exit_code=4)
    olga.run("operator", "accounts", "update", email, "--activate", "--operator")
    assert "nothing to change" in olga.refusal("operator", "accounts", "update", email, exit_code=2)


def hank_members(olga: Terminal) -> list[dict[str, str]]:
    found: list[dict[str, str]] = olga.json("operator", "members", "list", "-s", "globex.example")
    return found
