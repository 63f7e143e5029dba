"""`/me/sessions`: the caller's own, and no one else's."""

from __future__ import annotations

from sallyport.control.signin import sign_in
from serving import PASSWORD, Platform, audit, refused

PIA = "pia@acme.test"


def test_an_account_lists_and_ends_its_sessions(platform: Platform) -> None:
    def browser(email: str) -> None:
        platform.act(
            sign_in(platform.services, email, PASSWORD, "192.0.2.7", agent="Firefox on Linux")
        )

    with platform.make_account(PIA) as pia, platform.make_account("eve@acme.test") as eve:
        for email in (PIA, PIA, PIA, "eve@acme.test"):
            browser(email)
        items = pia.get("/me/sessions").json()["items"]
        assert len(items) == 3
        assert {each["browser"] for each in items} == {"Firefox on Linux"}
        assert {each["address"] for each in items} == {"192.0.2.7"}
        assert {each["method"] for each in items} == {"password"}
        one = items[0]["id"]
        refused(eve.delete(f"/me/sessions/{one}"), 404, "not_found")
        refused(pia.delete("/me/sessions/nonsense"), 404, "not_found")
        assert pia.delete(f"/me/sessions/{one}").status_code == 204
        refused(pia.delete(f"/me/sessions/{one}"), 404, "not_found")
        assert pia.delete("/me/sessions").json() == {"ended": 2}
        assert pia.get("/me/sessions").json() == {"items": []}
        assert len(eve.get("/me/sessions").json()["items"]) == 1
        pia_id = pia.get("/me").json()["account_id"]
        assert audit(platform).count(("session:ended", pia_id, pia_id)) == 2
