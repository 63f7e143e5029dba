"""A site in use, for tests of the admin console: callers, consents, requests, calls on record."""

from __future__ import annotations

from dataclasses import dataclass, replace

from browsing import House
from connected import READ, WRITE, Connected
from sallyport.control import approvals, integrations, service_accounts, service_requests
from sallyport.control.apps import show_app
from sallyport.control.links import LinkRequest
from sallyport.control.signin import actor_for
from sallyport.control.switch import set_rest_apis
from sallyport.model.decision import DecisionRecord, Gate
from sallyport.model.directory import PLATFORM, Account
from sallyport.store.grants import add_to_grant
from sallyport.store.records import add_decisions
from sallyport.store.usage import Usage, UsageKey, add_usage
from sallyport.vocab.clock import HOUR, MINUTE
from sallyport.vocab.ids import new_id

PRODUCT = "read:forge-app:jira"


@dataclass(frozen=True)
class Busy:
    """`client_id` is an integration's, `machine` a service account's; `refused` a decision's id."""

    place: Connected
    environment_id: str
    client_id: str
    machine: str
    grant_id: str
    refused: str
    secret: str


def keep_busy(
    house: House,
    place: Connected,
    *,
    name: str = "HR Sync",
    note: str = "reads the directory once a night",
) -> Busy:
    """Callers, a consent, two requests that wait, and a day of calls, on a connected site."""
    services, store = house.services, house.services.store
    people = {
        role: house.add_account(email, f"{role.title()} of {place.host.partition('.')[0]}")
        for role, email in (
            ("admin", place.admin),
            ("member", place.member),
            ("developer", place.developer),
        )
    }

    def link(*scopes: str, note: str = "") -> LinkRequest:
        products = (PRODUCT,)
        return LinkRequest(place.site_id, place.app_id, "development", scopes, products, (), note)

    async def make() -> Busy:
        admin, developer = (actor_for(people[role], None) for role in ("admin", "developer"))
        app = await show_app(services, PLATFORM, place.app_id)
        environment = next(
            each.environment.id
            for each in app.environments
            if each.environment.key == "development"
        )
        made, _ = await integrations.create_integration(
            services, developer, name, ["http://localhost:9876/callback"], link(READ, WRITE)
        )
        client_id = made.integration.client_id
        grant_id = await store.write(
            add_to_grant,
            client_id,
            people["member"].id,
            place.site_id,
            environment,
            frozenset({READ, PRODUCT}),
        )
        machine, secret = await service_accounts.create_service_account(
            services, admin, name if name != "HR Sync" else "Nightly export", link(READ)
        )
        await approvals.require_approval(services, admin, place.site_id, True)
        await integrations.create_integration(
            services,
            developer,
            "Payroll Bot",
            ["http://localhost:9876/callback"],
            link(READ, WRITE, note=note),
        )
        await service_requests.ask_service_account(
            services, developer, "Badge printer", link(READ, note="prints badges at the door")
        )
        await set_rest_apis(services, admin, place.site_id, place.app_id, "development", True)
        busy = Busy(
            place, environment, client_id, machine.account.client_id, grant_id, new_id(), secret
        )
        await _calls(house, busy, people["member"])
        return busy

    return house.act(make())


async def _calls(house: House, busy: Busy, caller: Account) -> None:
    store = house.services.store
    now = store.clock.now()
    usage: dict[UsageKey, Usage] = {}
    for hour in range(24):
        key = UsageKey(
            now - now % HOUR - hour * HOUR,
            busy.place.site_id,
            busy.place.app_id,
            busy.environment_id,
            busy.client_id,
            f"route-{hour % 3}",
            (READ,),
        )
        refused = hour % 5
        usage[key] = Usage(30 + (hour * 7) % 41, refused, hour % 2, 4_000, 900, 8_000)
        usage[replace(key, client_id=busy.machine, route_key="route-0")] = Usage(
            5, 0, 0, 900, 0, 400
        )
    await store.write(add_usage, list(usage.items()))
    shut: tuple[tuple[Gate, str], ...] = (
        ("scopes", "scope_missing"),
        ("token", "token_expired"),
        ("limits", "rate_limited"),
    )
    allowed = [
        _record(busy, caller, now - n * 9 * MINUTE, 900 + (n * 131) % 7_000) for n in range(150)
    ]
    refusals = [
        _record(busy, caller, now - n * 37 * MINUTE, 200)._replace(
            id=busy.refused if n == 0 else new_id(),
            method="POST",
            path=_path(busy, "/editEmployeeName"),
            status=403,
            gate=gate,
            reason=reason,
            problem={
                "title": "The token lacks a scope that this route needs",
                "detail": f"The route needs {WRITE}.",
                "fix": "Ask for consent again.",
                "missing_scopes": [WRITE],
            },
        )
        for n in range(12)
        for gate, reason in [shut[n % 7 % 3]]
    ]
    await store.write(add_decisions, allowed + refusals)


def _path(busy: Busy, rest: str) -> str:
    return f"/svc/jira/{busy.place.site_id}/apps/{busy.place.app_id}_{busy.environment_id}{rest}"


def _record(busy: Busy, caller: Account, at: int, took: int) -> DecisionRecord:
    return DecisionRecord(
        id=new_id(),
        trace_id="0" * 32,
        at=at,
        method="GET",
        path=_path(busy, "/getEmployeeName"),
        status=200,
        gate=None,
        reason=None,
        problem=None,
        duration_us=took,
        site_id=busy.place.site_id,
        app_id=busy.place.app_id,
        environment_id=busy.environment_id,
        installation_id=None,
        route_key="route-0",
        client_id=busy.client_id,
        account_id=caller.id,
        grant_id=busy.grant_id,
        invocation_id=None,
    )
