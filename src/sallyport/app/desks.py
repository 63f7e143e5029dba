"""What the server's protocol class answers besides calls: the authorization server's desks."""

from __future__ import annotations

from collections.abc import Callable

from sallyport.gateway.direct import Desk
from sallyport.oauth import OAuth, build_desks
from sallyport.store.changes import Feed
from sallyport.vocab.message import Asked, Reply
from sallyport.web.errors import failed_reply

FindDesk = Callable[[str, bytes], Desk | None]


class _Answering:
    """A desk whose failures are answered as the application's are."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.largest = desk.largest

    def refused_by_head(self, asked: Asked) -> Reply | None:
        try:
            return self._desk.refused_by_head(asked)
        except Exception as error:
            return failed_reply(asked, error)

    async def answer(self, asked: Asked, body: bytes | None) -> Reply:
        try:
            return await self._desk.answer(asked, body)
        except Exception as error:
            return failed_reply(asked, error)


def find_desks(oauth: OAuth, feed: Feed) -> FindDesk:
    """Which desk a request to a path is for, if any; all others are the application's.

    So are those of a process that is not up to date: the application refuses them all.
    """
    desks = {path.encode(): _Answering(desk) for path, desk in build_desks(oauth).items()}

    def find(method: str, path: bytes) -> Desk | None:
        desk = desks.get(path)
        return desk if method == "POST" and not feed.is_behind else None

    return find
