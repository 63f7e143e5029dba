"""The one-time claim, API tokens, passwords: who calls the control API."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import select

from sallyport.control.provider import Provider, ProviderConfig
from sallyport.control.signin import sign_in
from sallyport.model.claims import ClaimMapping
from sallyport.store import schema
from sallyport.store.engine import Reader
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import API_TOKEN, is_well_formed, new_secret
from serving import OPERATOR_EMAIL, PASSWORD, Platform, audit, link_token, login, refused


def test_until_the_claim_nothing_else_works(unclaimed: Platform) -> None:
    with unclaimed.client() as stranger:
        for path in ("/me", "/openapi.json", "/apps", "/login", "/setup/", "/setup/../me"):
            answer = stranger.get(path)
            refused(answer, 503, "not_set_up")
        page = httpx.get(f"{unclaimed.url}/console", headers={"Accept": "text/html"})
        assert page.status_code == 503
        assert "text/html" in page.headers["content-type"]
        assert unclaimed.claim().status_code == 201
        assert stranger.get("/openapi.json").status_code == 200


def test_the_setup_link_works_once(unclaimed: Platform) -> None:
    made = unclaimed.claim().json()
    assert is_well_formed(made["api_token"], API_TOKEN)
    assert unclaimed.operator.get("/me").json()["account_id"] == made["account_id"]
    refused(unclaimed.claim(), 403, "not_allowed")


def test_many_claims_at_once_make_one_operator(unclaimed: Platform) -> None:
    def attempt(n: int) -> int:
        with unclaimed.client() as stranger:
            return stranger.post(
                "/setup",
                json={
                    "token": link_token(unclaimed.setup_link),
                    "email": f"o{n}@acme.test",
                    "name": "Olga",
                    "password": PASSWORD,
                },
            ).status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = sorted(pool.map(attempt, range(10)))
    assert statuses == [201] + [403] * 9


def test_a_refused_claim_leaves_the_link_alive(unclaimed: Platform) -> None:
    given = {
        "token": link_token(unclaimed.setup_link),
        "email": "o@acme.test",
        "name": "Olga",
        "password": PASSWORD,
    }
    with unclaimed.client() as stranger:
        for change, status, reason in (
            ({"token": "spsu_guess"}, 403, "not_allowed"),
            ({"token": new_secret("spsu")}, 403, "not_allowed"),
            ({"password": "short"}, 422, "invalid_input"),
            ({"email": "nobody"}, 422, "invalid_input"),
            ({"name": "\u202e"}, 422, "invalid_input"),
        ):
            refused(stranger.post("/setup", json={**given, **change}), status, reason)
    assert unclaimed.claim().status_code == 201


def test_odd_credentials_are_refused_and_nothing_breaks(platform: Platform) -> None:
    with platform.client() as stranger:
        for header in (
            None,
            "",
            "Basic",
            "Basic !!!",
            "Basic bm8tY29sb24=",
            "Bearer abc",
            "Basic " + "A" * 60_000,
            "Basic /////w==",
        ):
            headers = {} if header is None else {"Authorization": header}
            answer = stranger.get("/me", headers=headers)
            refused(answer, 401, "not_signed_in")
            assert answer.headers["www-authenticate"] == 'Basic realm="sallyport"'


def test_an_api_token_works_with_its_own_email_alone(platform: Platform) -> None:
    with (
        platform.make_account("ada@acme.test") as ada,
        platform.make_account("eve@acme.test") as eve,
    ):
        token = ada.post("/me/api-tokens", json={"label": "ci"}).json()["token"]
        assert eve.get("/me").status_code == 200
        for email, secret in (
            ("eve@acme.test", token),
            ("nobody@acme.test", token),
            ("", token),
            ("ada@acme.test", new_secret(API_TOKEN)),
            ("ada@acme.test", PASSWORD),
            ("ada@acme.test", ""),
        ):
            with platform.client(email, secret) as client:
                refused(client.get("/me"), 401, "credentials_invalid")
        with platform.client("ADA@acme.test", token) as client:
            assert client.get("/me").status_code == 200


def test_api_tokens_are_shown_once_listed_and_revoked(platform: Platform) -> None:
    with (
        platform.make_account("ada@acme.test") as ada,
        platform.make_account("eve@acme.test") as eve,
    ):
        made = ada.post("/me/api-tokens", json={"label": "ci"}).json()
        assert set(made) == {"id", "label", "created_at", "token"}
        listed = ada.get("/me/api-tokens")
        assert made["token"] not in listed.text
        assert [each["label"] for each in listed.json()["items"]] == ["test", "ci"]
        refused(eve.delete(f"/me/api-tokens/{made['id']}"), 404, "not_found")
        with platform.client("ada@acme.test", made["token"]) as ci:
            assert ci.get("/me").status_code == 200
            assert ada.delete(f"/me/api-tokens/{made['id']}").status_code == 204
            refused(ci.get("/me"), 401, "credentials_invalid")
        refused(ada.delete(f"/me/api-tokens/{made['id']}"), 404, "not_found")


def test_an_account_has_at_most_a_hundred_api_tokens(platform: Platform) -> None:
    with platform.make_account("ada@acme.test") as ada:
        statuses = [
            ada.post("/me/api-tokens", json={"label": "ci"}).status_code for _ in range(100)
        ]
    assert statuses == [201] * 99 + [409]


def test_login_trades_a_password_for_an_api_token(platform: Platform) -> None:
    platform.make_account("ada@acme.test", "Ada").close()
    with platform.client() as stranger:
        answer = login(stranger, "Ada@Acme.test", PASSWORD)
        assert answer.status_code == 201
        made = answer.json()
        assert made["account"]["name"] == "Ada"
        assert answer.headers["cache-control"] == "no-store"
    with platform.client("ada@acme.test", made["api_token"]) as ada:
        assert ada.get("/me").json()["account_id"] == made["account"]["account_id"]


def test_login_reads_the_same_whatever_was_wrong(platform: Platform) -> None:
    platform.make_account("ada@acme.test").close()
    with platform.make_account("off@acme.test") as off:
        gone = off.get("/me").json()["account_id"]
        platform.operator.patch(f"/operator/accounts/{gone}", json={"active": False})
    with platform.client() as stranger:
        answers = [
            login(stranger, email, password)
            for email, password in (
                ("ada@acme.test", "wrong horse battery"),
                ("nobody@acme.test", PASSWORD),
                ("off@acme.test", PASSWORD),
                ("not an email", PASSWORD),
                ("ada@acme.test", ""),
                ("ada@acme.test", "x" * 5_000),
            )
        ]
    for answer in answers:
        refused(answer, 401, "credentials_invalid")
    assert len({answer.text for answer in answers}) == 1
    refusals = [each for each in audit(platform) if each[0] == "session:refused"]
    assert len(refusals) == len(answers)
    assert "wrong horse" not in str(audit(platform))


def test_guessing_is_slowed_and_the_right_password_waits_too(platform: Platform) -> None:
    platform.make_account("ada@acme.test").close()
    with platform.client() as stranger:
        for _ in range(10):
            refused(
                login(stranger, "ada@acme.test", "wrong horse battery"), 401, "credentials_invalid"
            )
        answer = login(stranger, "ada@acme.test", PASSWORD)
        refused(answer, 429, "rate_limited")
        assert 1 <= int(answer.headers["retry-after"]) <= 600
        assert login(stranger, OPERATOR_EMAIL, PASSWORD).status_code == 201


def test_a_changed_password_replaces_the_old_one(platform: Platform) -> None:
    with platform.make_account("ada@acme.test") as ada, platform.client() as stranger:
        wrong = ada.put("/me/password", json={"current": "wrong horse", "new": "a" * 12})
        refused(wrong, 401, "credentials_invalid")
        short = ada.put("/me/password", json={"current": PASSWORD, "new": "short"})
        refused(short, 422, "invalid_input")
        changed = ada.put("/me/password", json={"current": PASSWORD, "new": "a new long secret"})
        assert changed.status_code == 204
        refused(login(stranger, "ada@acme.test", PASSWORD), 401, "credentials_invalid")
        assert login(stranger, "ada@acme.test", "a new long secret").status_code == 201


def test_guesses_at_once_get_no_more_tries(platform: Platform) -> None:
    platform.make_account("ada@acme.test").close()

    async def guess() -> list[int]:
        async with httpx.AsyncClient(base_url=f"{platform.url}/api/v1", timeout=60) as client:
            given = {"email": "ada@acme.test", "password": "wrong horse battery", "label": "x"}
            answers = await asyncio.gather(*(client.post("/login", json=given) for _ in range(40)))
            return [answer.status_code for answer in answers]

    statuses = asyncio.run(guess())
    assert statuses.count(401) == 10
    assert statuses.count(429) == 30


def test_no_secret_is_stored_or_audited_as_it_is(platform: Platform) -> None:
    with platform.make_account("ada@acme.test") as ada:
        token = ada.post("/me/api-tokens", json={"label": "ci"}).json()["token"]

    async def dump(reader: Reader) -> str:
        tables = schema.metadata.sorted_tables
        return str([await reader.all(select(table)) for table in tables])

    stored = platform.act(platform.services.store.read(dump))
    assert "ada@acme.test" in stored
    for secret in (token, PASSWORD, link_token(platform.setup_link)):
        assert secret not in stored


def test_passwords_may_be_for_operators_alone(platform: Platform) -> None:
    """Planted bug that this was seen to fail on: the setting looked at on the sign-in page only."""
    config = ProviderConfig("https://idp.test", "c", "s", "openid", "Idp", ClaimMapping())
    alone = replace(config, passwords_for_all=False)
    services = replace(platform.services, provider=Provider(alone))
    with platform.make_account("pia@acme.test"):
        platform.act(sign_in(platform.services, "pia@acme.test", PASSWORD, None))
        with pytest.raises(Refused) as caught:
            platform.act(sign_in(services, "pia@acme.test", PASSWORD, None))
        assert caught.value.reason is Reason.CREDENTIALS_INVALID
    account, _ = platform.act(sign_in(services, OPERATOR_EMAIL, PASSWORD, None))
    assert account.operator
