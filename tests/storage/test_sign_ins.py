"""Browsers whose users have signed in: known to every server of a database, for a time, and no more than so many."""

from __future__ import annotations

from collections.abc import Callable

from runyard.runtime.services.sign_ins import SignIns
from runyard.runtime.storage.port.storage import Storage

from .conftest import Open

CREDENTIAL = "a-key-that-nobody-guesses"


async def found(storage: Storage, *digests: bytes) -> list[bytes | None]:
    return [await storage.sign_ins.find(digest) for digest in digests]


async def test_every_server_knows_who_has_signed_in_until_they_sign_out(another: Open) -> None:
    one, other = SignIns(another().sign_ins), SignIns(another().sign_ins)
    token, second = [await one.begin(CREDENTIAL) for _ in range(2)]
    assert token != second
    assert await other.credential(token) == CREDENTIAL
    await other.end(token)
    assert [await each.credential(token) for each in (one, other)] == [None, None]
    assert await one.credential(second) == CREDENTIAL


async def test_what_is_kept_opens_nothing_without_the_browser(storage: Storage) -> None:
    kept: list[tuple[bytes, bytes]] = []

    class Looked:
        async def begin(self, digest: bytes, sealed: bytes, *, seconds: float, most: int) -> None:
            kept.append((digest, sealed))
            await storage.sign_ins.begin(digest, sealed, seconds=seconds, most=most)

        find = storage.sign_ins.find
        end = storage.sign_ins.end

    signed_in = SignIns(Looked())
    tokens = [await signed_in.begin(CREDENTIAL) for _ in range(2)]
    written = b"".join(digest + sealed for digest, sealed in kept)
    assert all(secret.encode() not in written for secret in (CREDENTIAL, *tokens))
    assert kept[0][1] != kept[1][1]
    assert [await storage.sign_ins.find(digest) for digest, _ in kept] == [sealed for _, sealed in kept]


async def test_what_somebody_has_changed_in_storage_signs_nobody_in() -> None:
    kept: dict[bytes, bytes] = {}

    class Kept:
        async def begin(self, digest: bytes, sealed: bytes, *, seconds: float, most: int) -> None:
            kept[digest] = sealed

        async def find(self, digest: bytes) -> bytes | None:
            return kept[digest]

        async def end(self, digest: bytes) -> None: ...

    signed_in = SignIns(Kept())
    token, other = [await signed_in.begin(CREDENTIAL) for _ in range(2)]
    (digest, sealed), (_, of_other) = kept.items()
    for place in range(len(sealed) - 4):  # the last letters may have bits that say nothing
        kept[digest] = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        assert await signed_in.credential(token) is None
    for changed in (of_other, sealed[:-1], b"", bytes(len(CREDENTIAL))):
        kept[digest] = changed
        assert await signed_in.credential(token) is None
    assert await signed_in.credential(other) == CREDENTIAL


async def test_a_sign_in_ends_with_its_time(storage: Storage, let_time_pass: Callable[[float], None]) -> None:
    await storage.sign_ins.begin(b"short", b"1", seconds=60, most=10)
    await storage.sign_ins.begin(b"long", b"2", seconds=600, most=10)
    assert await found(storage, b"short", b"long") == [b"1", b"2"]
    let_time_pass(61)
    assert await found(storage, b"short", b"long") == [None, b"2"]
    # Dropped, too: it would not come back where time does.
    await storage.sign_ins.begin(b"next", b"3", seconds=60, most=10)
    let_time_pass(0)
    assert await found(storage, b"short", b"long", b"next") == [None, b"2", b"3"]


async def test_those_that_end_first_make_room(storage: Storage) -> None:
    for number, digest in enumerate((b"first", b"second", b"third")):
        await storage.sign_ins.begin(digest, digest, seconds=60 + number, most=2)
    assert await found(storage, b"first", b"second", b"third") == [None, b"second", b"third"]
    await storage.sign_ins.end(b"unknown")
    await storage.sign_ins.end(b"second")
    assert await found(storage, b"second", b"third") == [None, b"third"]
