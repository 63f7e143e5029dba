"""Who vouches for an integration: the operator, for the name and addresses that were looked at.

Planted bugs that these tests were seen to fail on: the mark kept after another name or callback
URL; taken away by any change.
"""

from __future__ import annotations

from access_world import CALLBACK
from oauth_world import Server
from sallyport.model.access import ClientKind
from sallyport.model.directory import Actor
from sallyport.store.integrations import change_integration, set_verified

OPERATOR = Actor(None, "operator", operator=True)


def shown(server: Server, client_id: str) -> bool:
    """Whether the consent page says that somebody vouches for it; it always shows the host."""
    view = server.ask(server.request(client_id=client_id)).json()
    assert view["redirect_host"] == "client.test"
    return bool(view["verified"])


def test_consent_shows_it_until_something_else_is_asked_for(server: Server) -> None:
    client_id = server.integration(ClientKind.CONFIDENTIAL, forge_compatible=True)
    store = server.world.store

    def vouch(verified: bool = True) -> bool:
        return server.act(store.write(set_verified, OPERATOR, client_id, verified))

    assert not shown(server, client_id)
    assert (vouch(), vouch()) == (True, False)
    assert shown(server, client_id)
    owner = Actor(server.world.developer.id, "developer")

    async def change(**changes: object) -> None:
        await store.write(
            lambda tx: change_integration(tx, owner, client_id, **changes)  # type: ignore[arg-type]
        )

    # What was looked at is what it is still; fewer addresses are no news either.
    server.act(change(require_dpop=False, redirect_uris=(CALLBACK,)))
    assert shown(server, client_id)
    server.act(change(redirect_uris=(CALLBACK, "https://elsewhere.example/cb")))
    assert not shown(server, client_id)
    assert vouch()
    server.act(change(name="Another name"))
    assert not shown(server, client_id)
    assert vouch()
    assert vouch(False)
    assert not shown(server, client_id)
