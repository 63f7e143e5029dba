"""Setup, sign-in, accounts and provisioning, over HTTP alone."""

from __future__ import annotations

from serving import Platform


def test_a_claimed_platform_knows_its_operator(platform: Platform) -> None:
    me = platform.operator.get("/me").json()
    assert me["operator"] is True
    site = platform.make_site("acme.test")
    with platform.make_account("ada@acme.test") as ada:
        assert ada.get("/sites").json() == {"items": []}
        platform.operator.put(
            f"/operator/sites/{site['site_id']}/members/ada@acme.test", json={"role": "admin"}
        )
        assert [each["role"] for each in ada.get("/sites").json()["items"]] == ["admin"]
