"""A site's admins look after its members; a site keeps an admin.

Planted bugs that these tests were seen to fail on: `site_of_member` in place of `site_of_admin`;
no look for another admin; admins of the organization not counted.
"""

from __future__ import annotations

from serving import Platform, audit, refused


def test_admins_add_change_and_remove_members(platform: Platform) -> None:
    with (
        platform.make_account("ada@acme.test", "Ada") as ada,
        platform.make_account("ben@acme.test", "Ben") as ben,
    ):
        site = platform.make_site("acme.test", admins=["ada@acme.test"])
        members = f"/admin/sites/{site['site_id']}/members"
        before = len(audit(platform))
        made = ada.put(f"{members}/ben@acme.test", json={"role": "member"})
        assert made.json()["role"] == "member"
        ben_id = made.json()["account_id"]
        assert ben.get("/sites").json()["items"][0]["role"] == "member"
        assert ada.put(f"{members}/{ben_id}", json={"role": "admin"}).json()["role"] == "admin"
        # The same again is no event.
        ada.put(f"{members}/{ben_id}", json={"role": "admin"})
        listed = ada.get(members).json()
        assert [(each["email"], each["role"]) for each in listed["items"]] == [
            ("ada@acme.test", "admin"),
            ("ben@acme.test", "admin"),
        ]
        assert listed["organization_admins"] == []
        assert ada.delete(f"{members}/ben@acme.test").status_code == 204
        assert ben.get("/sites").json()["items"] == []
        assert [(event, subject) for event, _, subject in audit(platform)[before:]] == [
            ("membership:set", ben_id),
            ("membership:set", ben_id),
            ("membership:ended", ben_id),
        ]
        refused(ada.put(f"{members}/nobody@acme.test", json={"role": "member"}), 404, "not_found")
        refused(ada.put(f"{members}/ben@acme.test", json={"role": "owner"}), 422, "invalid_input")
        strangers = [
            refused(ada.delete(f"{members}/{who}"), 404, "not_found")["detail"]
            for who in ("ben@acme.test", "nobody@acme.test")
        ]
        assert len(set(strangers)) == 1


def test_members_and_strangers_are_refused(platform: Platform) -> None:
    with (
        platform.make_account("ada@acme.test") as ada,
        platform.make_account("mem@acme.test") as member,
        platform.make_account("eve@other.test") as stranger,
    ):
        platform.make_site("other.test", admins=["eve@other.test"])
        platform.make_site("acme.test", admins=["ada@acme.test"], members=["mem@acme.test"])
        before = audit(platform)
        for client, status, reason in ((member, 403, "not_allowed"), (stranger, 404, "not_found")):
            path = "/admin/sites/acme.test/members"
            refused(client.get(path), status, reason)
            refused(client.put(f"{path}/eve@other.test", json={"role": "admin"}), status, reason)
            refused(client.delete(f"{path}/ada@acme.test"), status, reason)
        assert audit(platform) == before
        assert ada.get("/admin/sites/acme.test/members").status_code == 200


def test_a_site_keeps_an_admin(platform: Platform) -> None:
    with (
        platform.make_account("ada@acme.test") as ada,
        platform.make_account("org@acme.test"),
    ):
        platform.make_site("acme.test", admins=["ada@acme.test"], members=["org@acme.test"])
        mine = "/admin/sites/acme.test/members/ada@acme.test"
        refused(ada.delete(mine), 409, "conflict")
        refused(ada.put(mine, json={"role": "member"}), 409, "conflict")
        # An admin who cannot sign in looks after nothing.
        ada.put("/admin/sites/acme.test/members/org@acme.test", json={"role": "admin"})
        deactivate = "/operator/accounts/org@acme.test"
        platform.operator.patch(deactivate, json={"active": False})
        refused(ada.delete(mine), 409, "conflict")
        platform.operator.patch(deactivate, json={"active": True})
        ada.put("/admin/sites/acme.test/members/org@acme.test", json={"role": "member"})
        platform.operator.put(
            f"/operator/organizations/{platform.organization_id}/admins/org@acme.test"
        )
        listed = ada.get("/admin/sites/acme.test/members").json()
        assert [each["email"] for each in listed["organization_admins"]] == ["org@acme.test"]
        assert ada.put(mine, json={"role": "member"}).status_code == 200
        refused(ada.delete(mine), 403, "not_allowed")


def test_organizations_of_the_caller(platform: Platform) -> None:
    with (
        platform.make_account("org@acme.test") as org,
        platform.make_account("mem@acme.test") as member,
        platform.make_account("eve@other.test") as stranger,
    ):
        platform.make_site("a.acme.test", members=["mem@acme.test"])
        platform.make_site("b.acme.test")
        admin = f"/operator/organizations/{platform.organization_id}/admins/org@acme.test"
        platform.operator.put(admin)

        def seen(items: list[dict[str, object]]) -> list[object]:
            return [
                (each["admin"], [(site["host"], site["role"]) for site in each["sites"]])  # type: ignore[attr-defined]
                for each in items
            ]

        assert seen(org.get("/organizations").json()["items"]) == [
            (True, [("a.acme.test", "admin"), ("b.acme.test", "admin")])
        ]
        assert seen(member.get("/organizations").json()["items"]) == [
            (False, [("a.acme.test", "member")])
        ]
        assert stranger.get("/organizations").json()["items"] == []
