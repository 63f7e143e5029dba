"""Keys that clients sign in by, by the control API, for integrations and service accounts alike.

How they sign in is in tests/rfc/test_rfc7523.py.

Planted bugs that these tests were seen to fail on: a secret made beside the keys, or given later;
the secrets not ended; the keys of a public client taken.
"""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey
from test_integrations_api import People, answer, people, refused
from test_service_accounts_api import Site, site

__all__ = ["people", "site"]

ONE = ECKey.generate_key("P-256", {"kid": "one"})
TWO = OKPKey.generate_key("Ed25519", {"kid": "two"})
NAMES = [{"kid": "one", "alg": "ES256"}, {"kid": "two", "alg": "EdDSA"}]


def jwks(*keys: Any) -> dict[str, Any]:
    return {"keys": [each.as_dict(private=False) for each in keys]}


def test_an_integration_may_have_keys_for_a_secret(people: People) -> None:
    made = answer(people.create(jwks=jwks(ONE)), 201)
    assert "client_secret" not in made
    assert (made["live_secrets"], made["keys"]) == (0, NAMES[:1])
    path = f"/integrations/{made['client_id']}"
    both = answer(people.member.put(f"{path}/keys", json=jwks(ONE, TWO)), 200)
    assert both["keys"] == NAMES
    assert answer(people.member.get(path), 200) == both
    refused(people.member.post(f"{path}/secrets"), 409, "conflict")
    for who in (people.other, people.outsider, people.admin):
        refused(who.put(f"{path}/keys", json=jwks(ONE)), 404, "not_found")
        refused(who.delete(f"{path}/keys"), 404, "not_found")
    answer(people.member.delete(f"{path}/keys"), 204)
    assert answer(people.member.get(path), 200)["keys"] == []
    answer(people.member.post(f"{path}/secrets"), 201)


def test_keys_end_the_secrets_of_an_integration(people: People) -> None:
    made = answer(people.create(), 201)
    path = f"/integrations/{made['client_id']}"
    answer(people.member.post(f"{path}/secrets"), 201)
    changed = answer(people.member.put(f"{path}/keys", json=jwks(ONE)), 200)
    assert changed["live_secrets"] == 0


def test_a_public_client_has_none(people: People) -> None:
    refused(people.create(public=True, jwks=jwks(ONE)), 409, "conflict")
    path = f"/integrations/{answer(people.create(public=True), 201)['client_id']}"
    refused(people.member.put(f"{path}/keys", json=jwks(ONE)), 409, "conflict")


@pytest.mark.parametrize(
    "document",
    [
        {"keys": []},
        {"keys": [ONE.as_dict(private=True)]},
        {"keys": [{"kty": "oct", "k": "AAAA"}]},
        {"keys": "x"},
        {"jwks_uri": "https://client.test/jwks"},
        [],
    ],
    ids=["none", "private", "shared", "text", "address", "list"],
)
def test_what_is_no_set_of_public_keys_is_refused(
    people: People, site: Site, document: Any
) -> None:
    path = f"/integrations/{answer(people.create(), 201)['client_id']}/keys"
    refused(people.member.put(path, json=document), 422, "invalid_input")
    refused(people.create(jwks=document), 422, "invalid_input")
    refused(site.create(jwks=document), 422, "invalid_input")


def test_a_service_account_may_have_keys_for_a_secret(people: People, site: Site) -> None:
    made = answer(site.create(jwks=jwks(ONE)), 201)
    assert "client_secret" not in made
    assert (made["live_secrets"], made["keys"]) == (0, NAMES[:1])
    keys, secrets = (site.path(made["client_id"], each) for each in ("keys", "secrets"))
    assert answer(people.admin.put(keys, json=jwks(ONE, TWO)), 200)["keys"] == NAMES
    refused(people.admin.post(secrets), 409, "conflict")
    refused(people.member.put(keys, json=jwks(ONE)), 403, "not_allowed")
    answer(people.admin.delete(keys), 204)
    answer(people.admin.post(secrets), 201)
    assert answer(people.admin.put(keys, json=jwks(TWO)), 200)["live_secrets"] == 0
