"""Passwords: argon2id, one spelling, no telling who exists."""

from __future__ import annotations

import asyncio

import pytest

from sallyport.tokens import passwords
from sallyport.vocab.errors import Reason, Refused


def test_a_password_is_hashed_with_argon2id_and_a_salt() -> None:
    async def scenario() -> None:
        one, two = [await passwords.hash_password("correct horse battery") for _ in range(2)]
        assert one.startswith("$argon2id$")
        assert one != two
        assert await passwords.is_password(one, "correct horse battery")
        assert not await passwords.is_password(one, "correct horse batterz")

    asyncio.run(scenario())


def test_an_accent_matches_however_the_keyboard_made_it() -> None:
    async def scenario() -> None:
        stored = await passwords.hash_password("caf\u00e9 caf\u00e9 caf\u00e9")
        assert await passwords.is_password(stored, "cafe\u0301 cafe\u0301 cafe\u0301")

    asyncio.run(scenario())


@pytest.mark.parametrize("password", ["", "elevenchars", "x" * 1025])
def test_a_password_that_is_too_short_or_too_long_is_refused(password: str) -> None:
    with pytest.raises(Refused) as caught:
        asyncio.run(passwords.hash_password(password))
    assert caught.value.reason is Reason.INVALID_INPUT


def test_without_a_stored_hash_one_is_verified_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verified: list[str] = []

    class Watched(passwords.PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
            verified.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "_hasher", Watched())

    async def scenario() -> None:
        assert not await passwords.is_password(None, "correct horse battery")
        assert not await passwords.is_password(None, "nobody has this password")

    asyncio.run(scenario())
    assert len(verified) == 2
    assert all(each.startswith("$argon2id$") for each in verified)


def test_a_damaged_hash_matches_nothing() -> None:
    assert not asyncio.run(passwords.is_password("$argon2id$broken", "correct horse battery"))
