"""The decision, against a model that says the same in one line each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sallyport.model.access import Grant, Integration, IntegrationLink, TokenFamily, VerifiedToken
from sallyport.scopes import decide
from sallyport.vocab.errors import Reason

NAMES = ["read:a:custom", "write:a:custom", "read:b:custom", "read:forge-app:jira"]
scope_sets = st.frozensets(st.sampled_from(NAMES))


def token(scopes: frozenset[str] = frozenset(), **changes: str) -> VerifiedToken:
    values = {
        "token_id": "t",
        "grant_id": "g",
        "family_id": "f",
        "account_id": "acc",
        "client_id": "cli",
        "namespace": "app.env",
        **changes,
    }
    return VerifiedToken(scopes=scopes, expires_at=10, **values)


def grant(
    scopes: frozenset[str] = frozenset(), *, revoked_at: int | None = None, **changes: str
) -> Grant:
    values = {
        "id": "g",
        "client_id": "cli",
        "account_id": "acc",
        "site_id": "site",
        "app_id": "app",
        "environment_id": "env",
        **changes,
    }
    return Grant(scopes=scopes, created_at=1, revoked_at=revoked_at, **values)


def link(scopes: frozenset[str], products: frozenset[str] = frozenset()) -> IntegrationLink:
    return IntegrationLink("site", "app", "env", scopes, products)


@given(scope_sets, scope_sets, scope_sets, scope_sets, st.frozensets(st.sampled_from(NAMES[:3])))
def test_a_call_passes_only_with_every_scope_in_token_grant_and_link(
    on_token: frozenset[str],
    consented: frozenset[str],
    allowed: frozenset[str],
    products: frozenset[str],
    route: frozenset[str],
) -> None:
    effective = decide.effective_scopes(token(on_token), grant(consented), link(allowed, products))
    denied = decide.deny_missing_scopes(route, "jira", effective)
    needed = route | {"read:forge-app:jira"}
    passes = all(
        s in on_token and s in consented and (s in allowed or s in products) for s in needed
    )
    assert (denied is None) == passes
    if denied is not None:
        assert set(denied.missing) == needed - effective
        assert set(denied.granted) == effective
        assert (denied.reason is Reason.SCOPE_MISSING) == bool(set(denied.missing) & route)


@given(scope_sets, scope_sets)
def test_fewer_facts_never_open_more(more: frozenset[str], some: frozenset[str]) -> None:
    less = more & some
    for route in (frozenset[str](), frozenset({"read:a:custom"})):
        if decide.deny_missing_scopes(route, "jira", more) is not None:
            assert decide.deny_missing_scopes(route, "jira", less) is not None


def test_a_product_scope_of_another_product_does_not_count() -> None:
    denied = decide.deny_missing_scopes([], "confluence", frozenset({"read:forge-app:jira"}))
    assert denied is not None
    assert denied.reason is Reason.PRODUCT_SCOPE_MISSING
    assert denied.missing == ("read:forge-app:confluence",)


def test_each_fact_that_died_is_named() -> None:
    dead = TokenFamily("f", "g", frozenset(), 1, 9, revoked_at=5)
    live = TokenFamily("f", "g", frozenset(), 1, 9, revoked_at=None)
    integration = Integration("cli", "n", "o", (), (link(frozenset()),), 1, None)
    revoked = Integration("cli", "n", "o", (), (), 1, 5)
    cases = [
        (decide.deny_dead_family(live), None),
        (decide.deny_dead_family(dead), Reason.TOKEN_REVOKED),
        (decide.deny_dead_family(None), Reason.TOKEN_REVOKED),
        (decide.deny_dead_grant(token(), grant()), None),
        (decide.deny_dead_grant(token(), None), Reason.GRANT_REVOKED),
        (decide.deny_dead_grant(token(), grant(revoked_at=3)), Reason.GRANT_REVOKED),
        (decide.deny_dead_grant(token(client_id="other"), grant()), Reason.GRANT_REVOKED),
        (decide.deny_dead_grant(token(account_id="other"), grant()), Reason.GRANT_REVOKED),
        (decide.deny_dead_integration(integration), None),
        (decide.deny_dead_integration(revoked), Reason.INTEGRATION_REVOKED),
        (decide.deny_dead_integration(None), Reason.INTEGRATION_REVOKED),
        (decide.deny_other_site(grant(), "site"), None),
        (decide.deny_other_site(grant(), "elsewhere"), Reason.TOKEN_FOR_OTHER_SITE),
        (decide.deny_other_app(token(), "app.env"), None),
        (decide.deny_other_app(token(), "app.prod"), Reason.TOKEN_FOR_OTHER_APP),
        (decide.deny_not_member("member"), None),
        (decide.deny_not_member(None), Reason.MEMBERSHIP_ENDED),
        (decide.deny_unlinked(decide.link_of(integration, "site", "env")), None),
        (
            decide.deny_unlinked(decide.link_of(integration, "site", "x")),
            Reason.INTEGRATION_UNLINKED,
        ),
        (decide.deny_switched_off(True, "Acme"), None),
        (decide.deny_switched_off(False, "Acme"), Reason.REST_APIS_OFF),
    ]
    for denied, expected in cases:
        assert (denied.reason if denied else None) is expected
        assert denied is None or denied.fix
