"""Invariants I1 to I5 and I8 over random histories, against `grants_model.Model`.

- I1: a code gives one family at most, however many present it at once.
- I2: a refresh token has one successor, the same for all within the window; else the family dies.
- I3: what was taken away is refused at the very next call.
- I4: a token of one site opens no other.
- I5: issued is within consented, requested and linked; nothing widens without a consent.
- I8: every successful answer of the token endpoint has its audit row; every refused call a reason.

Consents, exchanges and refreshes go over HTTP to a real server, several at once; what admins do by
the store's verbs; calls through the gateway's own steps over facts that it keeps. A short run is in
the suite; `make soak` makes long ones, and a failing history is printed as a program.

Planted bugs that this was seen to fail on: a used code judged as a fresh one; a fresh successor for
each presenter; the window twice as long; no end of the family on reuse; the end of a grant not told
to the gateway; the membership not looked at in a refresh; scopes of a link not taken from what is
issued; a repeated refresh that is not audited.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import httpx
import pytest
from grants_model import ACCESS_S, Code, Family, Model, Refresh
from grants_tables import add_account, add_client, gateway_of, grant_id, tables
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from access_world import CALLBACK, JIRA, READ, WRITE, actor
from decision_world import Asked, Gateway, Minted, manifest_text
from oauth_world import Server, authorization_server, redirected
from sallyport.gateway.call import Call
from sallyport.model.directory import SiteRole
from sallyport.store import (
    accounts,
    client_secrets,
    directory,
    grants,
    installations,
    integrations,
    links,
    versions,
)
from sallyport.vocab import ids
from sallyport.vocab.clock import SECOND

EXAMPLES = int(os.environ.get("SALLYPORT_TEST_HISTORIES", "25"))
STEPS = 40
ROUTES = (("read", "GET", "/things", READ), ("write", "POST", "/things", WRITE))
BOTH = frozenset({READ, WRITE})
CUSTOM = st.sampled_from([frozenset({READ}), frozenset({WRITE}), BOTH, BOTH])
FOR_LONG = st.sampled_from([False, False, False, True])
"""Whether what is taken away stays away; mostly it is given back when the calls were looked at."""
PRESENTERS = st.sampled_from([1, 1, 1, 2, 3])
REACH = st.integers(0, 5)


class Grants(RuleBasedStateMachine):
    """One account, two clients, two sites, one app."""

    server: ClassVar[Server]
    http: ClassVar[httpx.Client]
    pool: ClassVar[ThreadPoolExecutor]
    gateway: ClassVar[Gateway]

    def __init__(self) -> None:
        super().__init__()
        self.started = self.server.clock.now()

    # ---- the world

    def act(self, verb: Any, *arguments: Any) -> Any:
        return self.server.act(self.server.world.store.write(verb, *arguments))

    @initialize()
    def begin(self) -> None:
        """An account and two clients that no history before has seen."""
        world = self.server.world
        self.by = actor(world.admin)
        email = f"{ids.new_id()}@acme.test"
        self.account = self.act(add_account, email)
        sites = (world.site.id, world.other_site.id)
        made = {}
        for name in ("X", "Y"):
            secret = ids.new_secret(ids.CLIENT_SECRET)
            client = self.act(add_client, self.by, world, name, secret)
            made[client] = [secret]
        self.model = Model(sites, tuple(made), frozenset({READ, WRITE, JIRA}))
        self.model.secrets = made
        self.model.alive = set(made)
        for site in sites:
            self.act(directory.set_membership, self.account.id, site, SiteRole.MEMBER)
            self.act(installations.set_switch, self.by, site, world.environment, True)
            self.model.members.add(site)
            self.model.switched_on.add(site)
            for client in made:
                self._set_link(client, site, frozenset({READ, WRITE}))
                self.sign_up(client=self.model.clients.index(client), site=sites.index(site))

    def _set_link(self, client: str, site: str, custom: frozenset[str]) -> None:
        link = self.server.world.link(site_id=site, scopes=custom, product_scopes=frozenset({JIRA}))
        self.act(integrations.set_link, self.by, client, link)
        self.model.links[client, site] = {*custom, JIRA}

    def client(self, number: int) -> str:
        return self.model.clients[number % 2]

    def site(self, number: int) -> str:
        return self.model.sites[number % 2]

    # ---- the protocol

    @rule(client=REACH, site=REACH, custom=CUSTOM)
    def sign_up(self, client: int, site: int, custom: frozenset[str] = BOTH) -> None:
        """Consent, and the code at once."""
        code = self._consent(self.client(client), self.site(site), custom)
        if code is not None:
            self._exchange(code, code.grant.client, 1)
        if code is not None and code.family is not None:
            for at in self.model.sites:
                self._call(code.family, code.family.access[-1], at)

    @rule(client=REACH, site=REACH, custom=CUSTOM)
    def consent(self, client: int, site: int, custom: frozenset[str]) -> None:
        self._consent(self.client(client), self.site(site), custom)

    def _consent(self, client: str, site: str, custom: frozenset[str]) -> Code | None:
        scopes = custom | {JIRA, "offline_access"}
        form = {
            **self.server.request(client_id=client, scope=" ".join(sorted(scopes))),
            "decision": "allow",
            "site": site,
        }
        answer = self.http.post(
            "/authorize",
            data=form,
            headers={"Sec-Fetch-Site": "same-origin", "Cookie": f"who={self.account.id}"},
        )
        told = (
            redirected(answer)
            if answer.status_code == 303 and CALLBACK in answer.headers["location"]
            else {}
        )
        expected = self.model.may_consent(client, site, scopes)
        assert ("code" in told) is expected, (answer.status_code, told, answer.text)
        if not expected:
            return None
        self.model.consent(told["code"], client, site, scopes)
        return self.model.codes[-1]

    @precondition(lambda self: self.model.codes)
    @rule(which=REACH, client=REACH, presenters=PRESENTERS, other=st.booleans())
    def exchange(self, which: int, client: int, presenters: int, other: bool) -> None:
        code = self.model.codes[-1 - which % min(3, len(self.model.codes))]
        who = self.client(client) if other else code.grant.client
        self._exchange(code, who, presenters)

    def _exchange(self, code: Code, who: str, presenters: int) -> None:
        form = {
            "grant_type": "authorization_code",
            "code": code.text,
            "redirect_uri": CALLBACK,
        }
        answers = self._present(who, form, presenters)
        if who not in self.model.alive:
            assert {each.json()["error"] for each in answers} == {"invalid_client"}
            return
        expected = [self.model.exchange(code, who) for _ in range(presenters)]
        given = [each.json() for each in answers if each.status_code == 200]
        granted = [each for each in expected if each is not None]
        assert len(given) == len(granted) <= 1, [each.text for each in answers]
        self._refused(answers)
        if given:
            assert code.family is not None
            self._issued(code.family, given[0], granted[0])
            code.family.chain.append(Refresh(given[0]["refresh_token"]))

    @precondition(lambda self: self.model.families)
    @rule(which=REACH, back=st.sampled_from([0, 0, 0, 1, 1, 2]), presenters=PRESENTERS)
    def refresh(self, which: int, back: int, presenters: int) -> None:
        family = self._family(which)
        token = family.chain[-1 - min(back, len(family.chain) - 1)]
        self._refresh(family, token, family.grant.client, presenters)

    @precondition(lambda self: self.model.families)
    @rule(which=REACH, wait=st.sampled_from([0, 29, 31, 45]), used=st.booleans())
    def present_an_older_one(self, which: int, wait: int, used: bool) -> None:
        """The newest token is used, perhaps its successor too; then it comes again."""
        family = self._family(which)
        token = family.chain[-1]
        self._refresh(family, token, family.grant.client, 1)
        if used:
            self._refresh(family, family.chain[-1], family.grant.client, 1)
        self.time_passes(wait)
        self._refresh(family, token, family.grant.client, 1)
        self._call(family, family.access[-1], family.grant.site)

    @precondition(lambda self: self.model.families)
    @rule(which=REACH)
    def refresh_as_another_client(self, which: int) -> None:
        family = self._family(which)
        (other,) = set(self.model.clients) - {family.grant.client}
        self._refresh(family, family.chain[-1], other, 1)

    def _refresh(self, family: Family, token: Refresh, who: str, presenters: int) -> None:
        form = {"grant_type": "refresh_token", "refresh_token": token.text}
        answers = self._present(who, form, presenters)
        if who not in self.model.alive:
            assert {each.json()["error"] for each in answers} == {"invalid_client"}
            return
        given = [each.json() for each in answers if each.status_code == 200]
        told = 0
        for _ in range(presenters):
            outcome = self.model.refresh(family, token, who)
            if outcome is None:
                continue
            scopes, successor = outcome
            told += 1
            assert len(given) >= told, [each.text for each in answers]
            text = given[told - 1]["refresh_token"]
            if successor is None:
                self.model.rotated(family, token, text)
            else:
                assert text == successor.text, "one refresh token has one successor"
            self._issued(family, given[told - 1], scopes)
        assert len(given) == told, [each.text for each in answers]
        self._refused(answers)

    def _present(self, who: str, form: dict[str, str], presenters: int) -> list[httpx.Response]:
        """The same request by several at once, signed in with a secret that is good now."""
        secret = self.model.secrets[who][-1]
        form = {**form, "client_id": who, "client_secret": secret}
        sent = [self.pool.submit(self._token, form) for _ in range(presenters)]
        return [each.result() for each in sent]

    def _token(self, form: dict[str, str]) -> httpx.Response:
        return self.http.post("/oauth/token", data=form)

    def _refused(self, answers: list[httpx.Response]) -> None:
        wrong = {each.json()["error"] for each in answers if each.status_code != 200}
        assert wrong <= {"invalid_grant"}, wrong

    def _issued(self, family: Family, body: dict[str, Any], scopes: frozenset[str]) -> None:
        """I5: what the answer says was issued is what the model lets out."""
        namespace = f"{self.server.world.namespace}:"
        told = {each.removeprefix(namespace) for each in body["scope"].split()}
        assert told == scopes
        family.access.append((body["access_token"], self.model.now + ACCESS_S, scopes))

    def _family(self, which: int) -> Family:
        return self.model.families[-1 - which % min(4, len(self.model.families))]

    @precondition(lambda self: self.model.families)
    @rule(which=REACH, by_access=st.booleans(), other=st.booleans())
    def revoke(self, which: int, by_access: bool, other: bool) -> None:
        family = self._family(which)
        who = self.client(which) if other else family.grant.client
        token = family.access[-1][0] if by_access else family.chain[-1].text
        form = {"client_id": who, "client_secret": self.model.secrets[who][-1], "token": token}
        answer = self.http.post("/oauth/revoke", data=form)
        if who not in self.model.alive:
            assert answer.json()["error"] == "invalid_client"
        elif who != family.grant.client:
            assert answer.status_code == 400
        else:
            assert answer.status_code == 200
            family.live = False
            self._look()

    # ---- what people and admins do, and what the very next calls say

    def _look(self) -> None:
        """Call with the newest token of each of the newest families, and try to refresh one."""
        for family in self.model.families[-4:]:
            self._call(family, family.access[-1], family.grant.site)
        if self.model.families:
            family = self.model.families[-1]
            self._refresh(family, family.chain[-1], family.grant.client, 1)

    @rule(site=REACH, for_long=FOR_LONG)
    def disable(self, site: int, for_long: bool) -> None:
        self._turn(self.site(site), False)
        self._look()
        if not for_long:
            self._turn(self.site(site), True)

    @rule(site=REACH)
    def enable(self, site: int) -> None:
        self._turn(self.site(site), True)

    def _turn(self, at: str, on: bool) -> None:
        self.act(installations.set_switch, self.by, at, self.server.world.environment, on)
        (self.model.switched_on.add if on else self.model.switched_on.discard)(at)

    @rule(client=REACH, site=REACH, for_long=FOR_LONG)
    def unlink(self, client: int, site: int, for_long: bool) -> None:
        who, at = self.client(client), self.site(site)
        environment = self.server.world.environment.id
        removed = self.act(links.remove_link, self.by, who, at, environment)
        assert removed is (self.model.links.pop((who, at), None) is not None)
        self._look()
        if not for_long and who in self.model.alive:
            self._set_link(who, at, BOTH)

    @rule(client=REACH, site=REACH, custom=CUSTOM)
    def link(self, client: int, site: int, custom: frozenset[str]) -> None:
        if self.client(client) in self.model.alive:
            self._set_link(self.client(client), self.site(site), custom)
            self._look()

    @rule(client=REACH, site=REACH, custom=CUSTOM, for_long=FOR_LONG)
    def take_back(self, client: int, site: int, custom: frozenset[str], for_long: bool) -> None:
        who, at = self.client(client), self.site(site)
        held = self.model.link(who, at)
        if who in self.model.alive and held is not None:
            where = self.server.world.link(site_id=at)
            taken = self.act(links.take_back, self.by, who, where, custom, "a test")
            assert taken == held & custom
            held -= custom
            self._look()
            if not for_long:
                self._set_link(who, at, BOTH)

    @rule(site=REACH, for_long=FOR_LONG)
    def end_membership(self, site: int, for_long: bool) -> None:
        at = self.site(site)
        self.act(directory.end_membership, self.account.id, at)
        self.model.members.discard(at)
        self._look()
        if not for_long:
            self.begin_membership(site)

    @rule(site=REACH)
    def begin_membership(self, site: int) -> None:
        at = self.site(site)
        self.act(directory.set_membership, self.account.id, at, SiteRole.MEMBER)
        self.model.members.add(at)

    @rule(for_long=FOR_LONG)
    def deactivate(self, for_long: bool) -> None:
        self.act(accounts.set_active, self.account.id, False)
        self.model.active = False
        self._look()
        if not for_long:
            self.activate()

    @rule()
    def activate(self) -> None:
        self.act(accounts.set_active, self.account.id, True)
        self.model.active = True

    @precondition(lambda self: any(each.live for each in self.model.grants))
    @rule(which=REACH)
    def end_consent(self, which: int) -> None:
        live = [each for each in self.model.grants if each.live]
        grant = live[which % len(live)]
        world = self.server.world
        found = self.server.act(
            world.store.read(grant_id, grant.client, self.account.id, grant.site)
        )
        assert self.act(grants.end_grant, self.by, found)
        self.model.end_grant(grant)
        self._look()

    @rule(client=REACH, end=st.booleans())
    def rotate_secret(self, client: int, end: bool) -> None:
        who = self.client(client)
        held = self.model.secrets[who]
        if who not in self.model.alive:
            return
        if end and len(held) == 2:
            assert self.act(client_secrets.end_previous_secret, self.by, who)
            old = held.pop(0)
            form = {"grant_type": "refresh_token", "refresh_token": "x"}
            answer = self._token({**form, "client_id": who, "client_secret": old})
            assert answer.json()["error"] == "invalid_client"
        elif not end and len(held) == 1:
            secret = ids.new_secret(ids.CLIENT_SECRET)
            self.act(client_secrets.add_secret, self.by, who, ids.digest(secret))
            held.append(secret)

    @precondition(lambda self: len(self.model.families) > 8)
    @rule(client=REACH)
    def end_client(self, client: int) -> None:
        who = self.client(client)
        assert self.act(integrations.revoke_integration, self.by, who) is (who in self.model.alive)
        self.model.end_client(who)
        self._look()

    @rule(seconds=st.sampled_from([1, 10, 29, 31, 61, 3601]))
    def time_passes(self, seconds: int) -> None:
        self.server.clock.advance(seconds * SECOND)
        self.model.now += seconds

    # ---- calls

    @precondition(lambda self: self.model.families)
    @rule(which=REACH, newest=st.booleans(), site=REACH, own=st.sampled_from([1, 1, 1, 0]))
    def call(self, which: int, newest: bool, site: int, own: int) -> None:
        family = self._family(which)
        access = family.access[-1 if newest else 0]
        at = family.grant.site if own else self.site(site)
        self._call(family, access, at)

    def _call(self, family: Family, access: tuple[str, int, frozenset[str]], at: str) -> None:
        opens = self.model.opens(family, access, at)
        for method, scope in (("GET", READ), ("POST", WRITE)):
            decided = self.server.act(self.gateway.decide(self._asked(access[0], at, method)))
            may = {scope, JIRA} <= opens
            assert isinstance(decided, Call) is may, (method, decided, opens)
            if not isinstance(decided, Call):
                assert decided.reason.code, "every refused call has a reason"

    def _asked(self, raw: str, at: str, method: str) -> Asked:
        world = self.server.world
        minted = Minted(raw, "", "", "", "", world.environment.id, frozenset(), 0)
        now = self.server.clock.now()
        return Asked(at, "cloud id", "jira", world.environment.id, method, "/things", minted, now)

    # ---- afterwards

    def teardown(self) -> None:
        """Every token once more, and what the tables say."""
        if not hasattr(self, "model"):
            return
        for family in self.model.families:
            for site in self.model.sites:
                self._call(family, family.access[-1], site)
        found = self.server.act(self.server.world.store.read(tables, self.model.clients))
        assert found["families"] == len(self.model.families), "I1"
        assert found["most_unused"] <= 1, "I2"
        assert found["audited"] == self.model.issued, "I8"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Grants]]:
    with authorization_server(tmp_path_factory.mktemp("grants")) as server:
        world = server.world
        server.act(
            world.store.write(
                versions.add_version,
                actor(world.developer),
                world.environment,
                manifest=manifest_text(ROUTES),
                bundle="0" * 64,
                tag=None,
                judge=lambda _newest, _registered: False,
            )
        )
        with (
            httpx.Client(base_url=server.url, timeout=30) as http,
            ThreadPoolExecutor(3) as pool,
        ):
            Grants.server, Grants.http, Grants.pool = server, http, pool
            Grants.gateway = server.act(gateway_of(server))
            yield Grants


def test_histories_against_the_model(machine: type[Grants]) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="SALLYPORT_TEST_HISTORIES" not in os.environ,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
