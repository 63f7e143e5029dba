"""What admins do on the pages of a site takes effect, says so, and keeps what was typed."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import httpx
import pytest

from browsing import House, form_token
from busy import PRODUCT, Busy, keep_busy
from connected import READ, WRITE, connect
from sallyport.control.approvals import approval_queue
from sallyport.control.grants import site_grants
from sallyport.control.integrations import integrations_of_site
from sallyport.control.members import site_members
from sallyport.control.service_accounts import list_service_accounts
from sallyport.model.directory import PLATFORM

PLACES = iter(range(100))


class Desk:
    """A busy site and its admin, who sends forms as the pages hold them."""

    def __init__(self, house: House, client: httpx.Client, busy: Busy) -> None:
        self.house = house
        self.client = client
        self.busy = busy
        self.site = f"/admin/sites/{busy.place.site_id}"
        self.integration = f"{self.site}/integrations/{busy.client_id}"
        self.machine = f"{self.site}/service-accounts/{busy.machine}"

    def send(self, page: str, action: str, **fields: str | list[str]) -> httpx.Response:
        token = form_token(self.client.get(page), action)
        return self.client.post(action, data={**fields, "form_token": token})

    def does(self, page: str, action: str, **fields: str | list[str]) -> str:
        """Send a form that is to work; what the page after it says."""
        answer = self.send(page, action, **fields)
        assert answer.status_code == 303, answer.text
        shown = self.client.get(answer.headers["location"])
        assert shown.status_code == 200, shown.text
        said = re.search(r'<p class="told" role="status">(.*?)</p>', shown.text)
        return html.unescape(said[1]) if said else ""

    def links(self) -> dict[str, frozenset[str]]:
        """What each integration may ask for on the site, by name."""
        found = integrations_of_site(self.house.services, PLATFORM, self.busy.place.site_id)
        return {
            each.integration.name: link.link.scopes | link.link.product_scopes
            for each in self.house.act(found)
            for link in each.links
        }

    def reasons(self, event: str) -> list[str]:
        rows = self.client.get(f"{self.site}/audit/export", params={"event": event}).text
        return [line.split(",")[6] for line in rows.splitlines()[1:]]


@pytest.fixture
def desk(house: House) -> Iterator[Desk]:
    busy = keep_busy(house, connect(house, f"desk-{next(PLACES)}"))
    with house.signed_in(busy.place.admin) as client:
        yield Desk(house, client, busy)


def test_requests_are_answered_scope_by_scope(desk: Desk) -> None:
    page = f"{desk.site}/approvals"
    queue = desk.house.act(approval_queue(desk.house.services, PLATFORM, desk.busy.place.site_id))
    ids = {each.integration.name: each.approval.id for each in queue.items}
    payroll, badge = f"{page}/{ids['Payroll Bot']}", f"{page}/{ids['Badge printer']}"

    kept = desk.send(page, payroll, answer="ticked", scope=[READ, PRODUCT], reason="")
    assert kept.status_code == 422
    assert 'aria-invalid="true"' in kept.text
    assert f'value="{WRITE}" checked' not in kept.text.split("Badge printer")[0]
    assert f'value="{READ}" checked' in kept.text.split("Badge printer")[0]
    assert desk.links()["Payroll Bot"] == frozenset()

    said = desk.does(page, payroll, answer="ticked", scope=[READ, PRODUCT], reason="enough")
    assert said == f"Payroll Bot: {READ}, {PRODUCT} approved."
    assert desk.links()["Payroll Bot"] == {READ, PRODUCT}
    # Whoever still has the page open is told that somebody was first.
    token = form_token(desk.client.get(page), badge)
    assert desk.does(page, badge, answer="refuse", scope=READ, reason="no printer here") == (
        "Badge printer: refused."
    )
    late = desk.client.post(badge, data={"answer": "ticked", "scope": READ, "form_token": token})
    assert late.status_code == 409
    assert "waits no more" in late.text
    answered = desk.client.get(f"{page}?show=all").text
    assert "no printer here" in answered
    assert "enough" in answered
    assert desk.does(page, page, required="no") == "New links wait for nobody now."


def test_scopes_are_taken_back_with_a_reason(desk: Desk) -> None:
    page = f"{desk.integration}/take-back?environment={desk.busy.environment_id}"
    action, environment = f"{desk.integration}/take-back", desk.busy.environment_id
    for fields, words in (
        ({"reason": "x"}, "No scope is ticked."),
        ({"scope": WRITE, "reason": ""}, "The reason is empty."),
    ):
        kept = desk.send(page, action, environment=environment, **fields)
        assert kept.status_code == 422
        assert words in kept.text
    assert desk.links()["HR Sync"] == {READ, WRITE, PRODUCT}
    said = desk.does(page, action, environment=environment, scope=WRITE, reason="only reads")
    assert said == f"Taken back: {WRITE}. The next call is refused."
    assert desk.links()["HR Sync"] == {READ, PRODUCT}
    assert "only reads" in desk.client.get(desk.integration).text


def test_consents_links_and_integrations_are_ended(desk: Desk) -> None:
    grant = f"{desk.site}/grants/{desk.busy.grant_id}/end"
    asked = desk.client.get(grant).text
    assert "162 calls by this consent came in the last day." in asked
    desk.does(grant, grant, reason="left the company")
    found = site_grants(desk.house.services, PLATFORM, desk.busy.place.site_id)
    assert desk.house.act(found) == []
    assert desk.reasons("grant:revoked") == ["left the company"]
    assert desk.client.get(grant).status_code == 404

    unlink = f"{desk.integration}/unlink"
    desk.does(
        f"{unlink}?environment={desk.busy.environment_id}",
        unlink,
        environment=desk.busy.environment_id,
    )
    assert "HR Sync" not in desk.links()
    assert desk.client.get(desk.integration).status_code == 404
    (other,) = re.findall(
        rf'{desk.site}/integrations/([0-9a-f-]{{36}})">',
        desk.client.get(f"{desk.site}/integrations").text,
    )
    end = f"{desk.site}/integrations/{other}/end"
    assert "Its next call is refused, on every site" in desk.client.get(end).text
    desk.does(end, end, reason="not asked for any more")
    assert desk.links() == {}
    assert desk.reasons("integration:revoked") == ["not asked for any more"]


def test_a_service_account_from_its_making_to_its_end(desk: Desk) -> None:
    page, action = f"{desk.site}/service-accounts/new", f"{desk.site}/service-accounts"
    app = f"{desk.busy.place.app_id}/development"
    assert "Which app is it to call?" in desk.client.get(page).text
    kept = desk.send(f"{page}?app={app}", action, app=app, name=" ", scope=READ)
    assert kept.status_code == 422
    assert 'id="name-wrong"' in kept.text
    assert f'value="{READ}" checked' in kept.text
    made = desk.send(f"{page}?app={app}", action, app=app, name="Robot", scope=READ)
    assert made.status_code == 201
    secret = re.search(r'id="client-secret">([^<]+)<', made.text)
    client_id = re.search(r'id="client-id">([^<]+)<', made.text)
    assert secret is not None
    assert client_id is not None
    mine = f"{action}/{client_id[1]}"
    assert secret[1] not in desk.client.get(mine).text

    again = desk.send(mine, f"{mine}/secrets")
    assert again.status_code == 201
    assert 'id="client-secret"' in again.text
    assert secret[1] not in again.text
    assert desk.does(mine, f"{mine}/secrets/end-previous") == "The previous secret is ended."
    assert desk.does(f"{mine}/end", f"{mine}/end", reason="done") == "Robot is ended."
    left = desk.house.act(
        list_service_accounts(desk.house.services, PLATFORM, desk.busy.place.site_id)
    )
    assert [each.account.name for each in left] == ["Nightly export"]
    assert desk.client.get(mine).status_code == 404


def test_members_are_added_changed_and_removed(desk: Desk) -> None:
    page = f"{desk.site}/members"
    new = desk.house.add_account("new@desk.example", "New Person")

    def roles() -> dict[str, str]:
        found = desk.house.act(site_members(desk.house.services, PLATFORM, desk.busy.place.site_id))
        return {each.account.email: each.role.value for each in found.members}

    kept = desk.send(page, page, account="nobody@desk.example", role="admin")
    assert kept.status_code == 404
    assert 'value="nobody@desk.example"' in kept.text
    assert 'id="account-wrong"' in kept.text
    assert desk.send(page, page, account="no email", role="member").status_code == 422
    said = desk.does(page, page, account=" New@desk.example", role="admin")
    assert said == "New Person is an admin now."
    assert roles()["new@desk.example"] == "admin"
    desk.does(page, page, account=new.id, role="member")
    assert roles()["new@desk.example"] == "member"
    ask = f"{page}/{new.id}/remove"
    assert "0 calls came for this person in the last day." in desk.client.get(ask).text
    desk.does(ask, ask, reason="moved on")
    assert "new@desk.example" not in roles()
    assert desk.reasons("membership:ended") == ["moved on"]
    # The last admin stays, and is told what to do first.
    me = desk.house.add_account(desk.busy.place.admin, f"Admin of {desk.busy.place.host[:-8]}")
    last = desk.send(f"{page}/{me.id}/remove", f"{page}/{me.id}/remove")
    assert last.status_code == 409
    assert "Make another member an admin first." in last.text
    assert roles()[desk.busy.place.admin] == "admin"


def test_figures_decisions_and_audit_are_narrowed(desk: Desk) -> None:
    usage = f"{desk.site}/usage"
    whole = desk.client.get(usage, params={"span": "week"}).text
    assert "1,296" in whole
    machine = desk.client.get(usage, params={"caller": desk.busy.machine}).text
    assert "<dd>120</dd>" in machine
    one = {"app": desk.busy.environment_id, "caller": desk.busy.machine, "route": "route-1"}
    assert "No calls in the last 24 hours" in desk.client.get(usage, params=one).text
    assert desk.client.get(usage, params={"span": "year"}).status_code == 422

    decisions = f"{desk.site}/decisions"
    shown = desk.client.get(decisions, params={"gate": "limits"}).text
    assert set(re.findall(r'<span class="tag shut">(\w+)</span>', shown)) == {"limits"}
    assert desk.client.get(decisions, params={"gate": "moat"}).status_code == 422
    assert desk.client.get(decisions, params={"before": "1.x"}).status_code == 422
    # Page by page every call on record is listed once.
    seen: list[str] = []
    address = f"{decisions}?show=all"
    while True:
        text = desk.client.get(address).text
        seen += re.findall(rf"{decisions}/([0-9a-f-]{{36}})", text)
        older = re.search(r'<a href="([^"]+)" rel="next">', text)
        if older is None:
            break
        address = decisions + html.unescape(older[1])
    assert len(seen) == len(set(seen)) == 162

    audit = f"{desk.site}/audit"
    asked = desk.client.get(audit, params={"event": "approval"}).text
    assert set(re.findall(r"<td data-label=\"What\"><code>([^<]+)<", asked)) == {"approval:asked"}
    assert "Nothing that fits" in desk.client.get(audit, params={"until": "2020-01-01"}).text
    wrong = desk.client.get(audit, params={"since": "yesterday"})
    assert wrong.status_code == 422
    assert 'value="yesterday"' in wrong.text
    saved = desk.client.get(f"{audit}/export", params={"event": "approval", "format": "csv"})
    assert saved.headers["content-disposition"].startswith("attachment")
    assert saved.headers["cache-control"] == "no-store"
    assert len(saved.text.splitlines()) == 3
    assert desk.client.get(f"{audit}/export", params={"format": "exe"}).status_code == 422
