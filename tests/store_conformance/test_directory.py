"""Customers, people, sessions and the one-time claim, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from sallyport.control import accounts as control_accounts
from sallyport.control import setup as control_setup
from sallyport.control.services import Services
from sallyport.model.directory import PLATFORM, Account, Product, Site, SiteRole
from sallyport.store import accounts, authority, directory, schema, sessions
from sallyport.store.changes import Change, Kind
from sallyport.store.engine import Reader, Store
from sallyport.tokens import sessions as browser_sessions
from sallyport.vocab.clock import ManualClock
from sallyport.vocab.errors import Reason, Refused
from sallyport.vocab.ids import digest, new_id

WithStore = Callable[..., Any]
PASSWORD = "correct horse battery"


async def person(store: Store, email: str = "ada@acme.test", *, operator: bool = False) -> Account:
    made = await store.write(accounts.add_account, email, "Ada", None, operator=operator)
    assert made is not None
    return made


async def customer(store: Store, host: str = "acme.test") -> Site:
    await control_setup.bootstrap(store)
    organization = await store.write(directory.add_organization, "Acme")
    site = await store.write(
        directory.add_site, organization.id, host, "Acme", ["jira", "confluence"]
    )
    assert site is not None
    return site


async def count(reader: Reader, table: Any) -> int:
    return int(await reader.scalar(select(func.count()).select_from(table)))


def services_over(store: Store, tmp_path: Any) -> Services:
    async def nothing_runs(_installation_id: str) -> None:
        return None

    return Services(store, "http://platform.test", tmp_path, nothing_runs)


def test_a_site_is_found_by_cloud_id_and_by_host_with_its_products(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        site = await customer(store)
        assert site.products == ("confluence", "jira")
        assert await store.read(directory.site_by_id, site.id) == site
        assert await store.read(directory.site_by_host, "acme.test") == site
        assert await store.read(directory.site_by_host, "other.test") is None
        assert await store.read(directory.all_sites) == (site,)

    with_store(scenario)


def test_a_host_an_email_and_a_product_key_exist_once_under_races(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        site = await customer(store)
        made = await asyncio.gather(
            *(
                store.write(directory.add_site, site.organization_id, "new.test", "New", ["jira"])
                for _ in range(10)
            ),
            *(
                store.write(accounts.add_account, "a@b.test", "A", None, operator=False)
                for _ in range(10)
            ),
            *(store.write(directory.add_product, "crm", "CRM") for _ in range(10)),
        )
        assert [sum(each is not None for each in made[n : n + 10]) for n in (0, 10, 20)] == [1] * 3
        assert await store.read(count, schema.site) == 2
        assert len((await store.read(directory.all_sites))[1].products) == 1

    with_store(scenario)


def test_a_product_says_where_its_apis_are(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        made = await store.write(directory.add_product, "crm", "CRM", "https://crm.test")
        assert made == Product("crm", "CRM", "https://crm.test")
        assert await store.read(directory.product_upstream, "crm") == "https://crm.test"
        assert await store.write(directory.set_product, Product("crm", "Our CRM"))
        assert await store.read(directory.product_by_key, "crm") == Product("crm", "Our CRM")
        assert await store.read(directory.product_upstream, "crm") is None
        assert await store.read(directory.product_upstream, "none") is None
        assert not await store.write(directory.set_product, Product("none", "None"))

    with_store(scenario)


def test_membership_is_set_changed_and_ended_and_gateways_hear_of_each(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        site, ada = await customer(store), await person(store)
        heard: list[Change] = []
        store.feed.follow(heard.append)
        for role in (SiteRole.MEMBER, SiteRole.ADMIN):
            await store.write(directory.set_membership, ada.id, site.id, role)
            assert await store.read(authority.site_role, ada.id, site.id) is role
            assert await store.read(directory.members_of, site.id) == ((ada, role),)
            assert await store.read(directory.sites_of, ada.id) == ((site, role),)
        assert await store.write(directory.end_membership, ada.id, site.id)
        assert not await store.write(directory.end_membership, ada.id, site.id)
        assert await store.read(directory.sites_of, ada.id) == ()
        assert heard == [Change(Kind.MEMBERSHIP, f"{ada.id}/{site.id}")] * 3

    with_store(scenario)


def test_concurrent_settings_of_one_membership_leave_one_row(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        site, ada = await customer(store), await person(store)
        await asyncio.gather(
            *(
                store.write(directory.set_membership, ada.id, site.id, role)
                for role in (SiteRole.MEMBER, SiteRole.ADMIN) * 10
            )
        )
        assert await store.read(count, schema.membership) == 1

    with_store(scenario)


def test_an_org_admin_is_admin_of_each_site_and_the_end_is_told_for_each(
    with_store: WithStore,
) -> None:
    async def scenario(store: Store) -> None:
        first, ada = await customer(store), await person(store)
        second = await store.write(
            directory.add_site, first.organization_id, "two.test", "Two", ["jira"]
        )
        assert second is not None
        await store.write(directory.set_membership, ada.id, second.id, SiteRole.MEMBER)
        assert await store.write(directory.set_org_admin, ada.id, first.organization_id)
        assert not await store.write(directory.set_org_admin, ada.id, first.organization_id)
        assert await store.read(directory.sites_of, ada.id) == (
            (first, SiteRole.ADMIN),
            (second, SiteRole.ADMIN),
        )
        heard: list[Change] = []
        store.feed.follow(heard.append)
        assert await store.write(directory.end_org_admin, ada.id, first.organization_id)
        assert set(heard) == {
            Change(Kind.MEMBERSHIP, f"{ada.id}/{site.id}") for site in (first, second)
        }
        assert await store.read(directory.sites_of, ada.id) == ((second, SiteRole.MEMBER),)

    with_store(scenario)


def test_a_session_lasts_twelve_hours_and_no_longer(
    with_store: WithStore, clock: ManualClock
) -> None:
    async def scenario(store: Store) -> None:
        ada = await person(store)
        cookie = await store.write(browser_sessions.start, ada.id, replaces=None)
        clock.advance(browser_sessions.LIFE - 1)
        assert await store.read(browser_sessions.account_of, cookie) == ada
        clock.advance(1)
        assert await store.read(browser_sessions.account_of, cookie) is None
        await store.write(browser_sessions.start, ada.id, replaces=None)
        assert await store.read(count, schema.session) == 1, "the expired one is forgotten"

    with_store(scenario)


def test_a_new_session_ends_the_one_that_the_browser_came_with(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        ada, eve = await person(store), await person(store, "eve@acme.test")
        planted = await store.write(browser_sessions.start, eve.id, replaces=None)
        cookie = await store.write(browser_sessions.start, ada.id, replaces=planted)
        assert cookie != planted
        assert await store.read(browser_sessions.account_of, planted) is None
        assert await store.read(browser_sessions.account_of, cookie) == ada

    with_store(scenario)


def test_a_deactivated_account_loses_sessions_and_api_tokens_for_good(
    with_store: WithStore, tmp_path: Any
) -> None:
    async def scenario(store: Store) -> None:
        services = services_over(store, tmp_path)
        ada = await person(store)
        cookie = await store.write(browser_sessions.start, ada.id, replaces=None)
        token = await control_accounts.create_token_for(services, PLATFORM, ada.id, "ci")
        heard: list[Change] = []
        store.feed.follow(heard.append)
        for active in (False, True):
            await control_accounts.change_account(services, PLATFORM, ada.id, active=active)
            assert await store.read(browser_sessions.account_of, cookie) is None
            found = await store.read(sessions.account_of_api_token, digest(token.secret))
            assert found is None
        assert heard == [Change(Kind.ACCOUNT, ada.id)] * 2

    with_store(scenario)


def test_an_api_token_is_revoked_by_its_own_account_alone(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        ada, eve = await person(store), await person(store, "eve@acme.test")
        token = await store.write(sessions.add_api_token, digest("x"), ada.id, "ci")
        assert not await store.write(sessions.revoke_api_token, eve.id, token.id)
        assert await store.read(sessions.api_tokens_of, ada.id) == (token,)
        assert await store.write(sessions.revoke_api_token, ada.id, token.id)
        assert not await store.write(sessions.revoke_api_token, ada.id, token.id)
        assert await store.read(sessions.account_of_api_token, digest("x")) is None

    with_store(scenario)


def test_the_setup_link_makes_exactly_one_operator_under_races(
    with_store: WithStore, tmp_path: Any
) -> None:
    async def scenario(store: Store) -> None:
        services = services_over(store, tmp_path)
        link = await control_setup.ensure_setup_link(services)
        assert link is not None
        secret = link.partition("token=")[2]
        results = await asyncio.gather(
            *(
                control_setup.claim(services, secret, f"o{n}@acme.test", "Olga", PASSWORD)
                for n in range(8)
            ),
            return_exceptions=True,
        )
        refused = [each for each in results if isinstance(each, Refused)]
        assert len(refused) == 7
        assert {each.reason for each in refused} == {Reason.NOT_ALLOWED}
        assert [each.operator for each in await store.read(accounts.all_accounts)] == [True]
        assert await control_setup.is_set_up(services)
        assert await control_setup.ensure_setup_link(services) is None

    with_store(scenario)


def test_each_start_makes_a_new_setup_link_and_the_old_one_dies(
    with_store: WithStore, tmp_path: Any
) -> None:
    async def scenario(store: Store) -> None:
        services = services_over(store, tmp_path)
        links = [str(await control_setup.ensure_setup_link(services)) for _ in range(2)]
        old, new = (link.partition("token=")[2] for link in links)
        with pytest.raises(Refused) as caught:
            await control_setup.claim(services, old, "o@acme.test", "Olga", PASSWORD)
        assert caught.value.reason is Reason.NOT_ALLOWED
        stored = await store.read(lambda reader: reader.all(select(schema.platform)))
        assert all(new not in str(row) for row in stored), "only the digest is stored"
        account, _token = await control_setup.claim(services, new, "o@acme.test", "Olga", PASSWORD)
        assert account.operator

    with_store(scenario)


def test_a_setup_link_from_before_the_claim_makes_no_second_operator(
    with_store: WithStore, tmp_path: Any
) -> None:
    async def scenario(store: Store) -> None:
        services = services_over(store, tmp_path)
        link = str(await control_setup.ensure_setup_link(services))
        secret = link.partition("token=")[2]
        await control_setup.claim(services, secret, "o@acme.test", "Olga", PASSWORD)
        # As if another process had written its link at the very moment of the claim.
        await store.write(accounts.set_setup_link, digest(secret))
        with pytest.raises(Refused):
            await control_setup.claim(services, secret, "p@acme.test", "Eve", PASSWORD)
        assert not await store.write(accounts.consume_setup_link, digest(secret))
        assert await store.read(count, schema.account) == 1

    with_store(scenario)


def test_two_operators_that_remove_each_other_at_once_leave_one(
    with_store: WithStore, tmp_path: Any
) -> None:
    async def scenario(store: Store) -> None:
        services = services_over(store, tmp_path)
        first = await person(store, "first@acme.test", operator=True)
        for n in range(5):
            second = await person(store, f"{n}@acme.test", operator=True)
            results = await asyncio.gather(
                *(
                    control_accounts.change_account(services, PLATFORM, each.id, operator=False)
                    for each in (first, second)
                ),
                return_exceptions=True,
            )
            left = [each for each in await store.read(accounts.all_accounts) if each.operator]
            assert len(left) == 1
            refused = [each for each in results if isinstance(each, Refused)]
            assert [each.reason for each in refused] == [Reason.CONFLICT]
            with pytest.raises(Refused):
                await control_accounts.change_account(services, PLATFORM, left[0].id, active=False)
            first = left[0]

    with_store(scenario)


def test_verbs_about_what_does_not_exist_change_nothing(with_store: WithStore) -> None:
    async def scenario(store: Store) -> None:
        heard: list[Change] = []
        store.feed.follow(heard.append)
        nobody, nowhere = new_id(), new_id()
        assert not await store.write(accounts.set_active, nobody, False)
        assert not await store.write(accounts.set_password_hash, nobody, "x")
        assert not await store.write(directory.end_org_admin, nobody, nowhere)
        assert await store.write(sessions.end_session, digest("x")) is None
        assert await store.read(accounts.account_by_id, nobody) is None
        assert await store.read(directory.organization_by_id, nowhere) is None
        assert heard == []

    with_store(scenario)
