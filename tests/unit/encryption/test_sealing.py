"""How values are marked, and what is asked of handlers."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from runyard.runtime.encryption.handler_loop import HandlerLoop, each
from runyard.runtime.encryption.handlers import Handlers, Subject
from runyard.runtime.encryption.sealing import Sealing, has_sealed, is_json
from runyard.runtime.errors import ConfigError, EncryptionFailed, Invalid
from tests.encryption_handlers import encryption, turned

SUBJECT = Subject("thread", "metadata")
CONTEXT = {"tenant": "acme"}


def sealing(**options: Any) -> Sealing:
    made = encryption(hidden=lambda key: key.startswith("secret"))
    return Sealing(Handlers(made, "here", timeout=options.pop("timeout", 10)))


@pytest.mark.parametrize("plain", [b"", b"\x00", b"{}", b"\xc1RY1 or so", b"x" * 100_000])
async def test_blobs_come_back(plain: bytes) -> None:
    seal = sealing()
    sealed = await seal.seal_blob(CONTEXT, SUBJECT, plain)
    assert await seal.open_blob(SUBJECT, sealed) == plain


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1},
        [1, 2],
        "text",
        {"__error__": {"error": "E", "message": "m"}},
        {"__error__": {"x": 1}, "more": 2},
        {"__error__": None},
        {"__sealed__": "by a graph"},
    ],
)
async def test_json_comes_back_and_stays_json(value: Any) -> None:
    seal, data = sealing(), orjson.dumps(value)
    sealed = await seal.seal_json(CONTEXT, SUBJECT, data)
    assert await seal.open_json(SUBJECT, sealed) == data
    assert await seal.open_value(SUBJECT, orjson.loads(sealed)) == value
    assert sealed.startswith(b'{"__error__"') is data.startswith(b'{"__error__"')


async def test_what_was_stored_before_is_read_as_it_is() -> None:
    seal, metadata = sealing(), {"secret": "old", "in": [{"secret": 1}]}
    assert await seal.open_blob(SUBJECT, b"old") == b"old"
    assert await seal.open_json(SUBJECT, b'{"old":1}') == b'{"old":1}'
    assert await seal.open_text(SUBJECT, "old") == "old"
    assert await seal.open_fields(SUBJECT, metadata) == metadata


async def test_handlers_say_which_values_are_hidden_at_any_depth() -> None:
    seal = sealing()
    data = {"plain": 1, "secret": {"x": 1}, "deep": [[{"secret": "s", "n": None}], "text"], "thread_id": "t"}
    sealed = await seal.seal_fields(CONTEXT, SUBJECT, data)
    assert (sealed["plain"], sealed["thread_id"], sealed["deep"][1]) == (1, "t", "text")
    assert sealed.keys() == data.keys()
    assert has_sealed(sealed["secret"])
    assert has_sealed(sealed["deep"])
    assert await seal.open_fields(SUBJECT, sealed) == data


async def test_values_of_several_contexts_come_together() -> None:
    asked = []
    made = encryption(hidden=lambda key: True)
    decrypt = made._json_decryptor

    async def noting(ctx: Any, data: dict[str, Any]) -> Any:
        asked.append((ctx.metadata, set(data)))
        assert decrypt is not None
        return await decrypt(ctx, data)

    made._json_decryptor = noting
    seal = Sealing(Handlers(made, "here", timeout=10))
    merged = {
        **await seal.seal_fields({"tenant": "a"}, SUBJECT, {"x": 1, "y": 2}),
        **await seal.seal_fields({"tenant": "b"}, SUBJECT, {"y": 3}),
        "plain": 4,
    }
    assert await seal.open_fields(SUBJECT, merged) == {"x": 1, "y": 3, "plain": 4}
    assert asked == [({"tenant": "a"}, {"x", "plain"}), ({"tenant": "b"}, {"y", "plain"})]


async def test_a_handler_may_change_what_it_is_given() -> None:
    made = encryption(hidden=lambda key: False)

    async def in_place(_: Any, data: dict[str, Any]) -> dict[str, Any]:
        data["deep"]["secret"] = "hidden"
        return data

    made._json_encryptor = in_place
    given = {"deep": {"secret": 1}}
    sealed = await Sealing(Handlers(made, "here", timeout=10)).seal_fields({}, SUBJECT, given)
    assert given == {"deep": {"secret": 1}}
    assert has_sealed(sealed["deep"])


@pytest.mark.parametrize("answer", [{}, {"k": 1, "more": 2}, {"other": 1}, None, [1]])
async def test_a_handler_that_changes_keys_is_refused(answer: Any) -> None:
    made = encryption(hidden=lambda key: False)

    async def wrong(*_: Any) -> Any:
        return answer

    made._json_encryptor = wrong
    with pytest.raises(EncryptionFailed, match=r"here: @encryption\.encrypt\.json gave"):
        await Sealing(Handlers(made, "here", timeout=10)).seal_fields({}, SUBJECT, {"k": 1})


@pytest.mark.parametrize("raised", [ValueError("secret text"), SystemExit(1), asyncio.CancelledError()])
async def test_whatever_a_handler_raises_is_told_without_its_text(raised: BaseException) -> None:
    made = encryption(hidden=lambda key: False)

    async def failing(*_: Any) -> bytes:
        raise raised

    made._blob_encryptor = failing
    with pytest.raises(EncryptionFailed, match=r"@encryption\.encrypt\.blob failed for thread\.metadata") as error:
        await Sealing(Handlers(made, "here", timeout=10)).seal_blob({}, SUBJECT, b"x")
    assert "secret text" not in error.value.detail


async def test_a_handler_that_takes_too_long_is_given_up() -> None:
    made = encryption(hidden=lambda key: False)

    async def waiting(*_: Any) -> bytes:
        await asyncio.Event().wait()
        return b""

    made._blob_encryptor = waiting
    with pytest.raises(EncryptionFailed, match=r"took longer than 0\.01 s"):
        await Sealing(Handlers(made, "here", timeout=0.01)).seal_blob({}, SUBJECT, b"x")


async def test_nothing_is_looked_for_by_what_is_hidden() -> None:
    seal = sealing()
    await seal.refuse_sealed({}, SUBJECT, {"plain": 1, "thread_id": "t"}, "metadata")
    with pytest.raises(Invalid, match=r"metadata\.secret: .* encrypts this value"):
        await seal.refuse_sealed({}, SUBJECT, {"plain": 1, "secret": 1}, "metadata")
    with pytest.raises(Invalid, match=r"metadata\.deep: "):
        await seal.refuse_sealed({}, SUBJECT, {"deep": {"secret": 1}}, "metadata")


@pytest.mark.parametrize("forged", [{"__sealed__": {}}, {"k": {"__sealed__": []}}, {"k": [{"__sealed__": 1}]}])
async def test_nobody_can_pretend_that_a_value_is_sealed(forged: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="__sealed__ is reserved"):
        await sealing().seal_fields({}, SUBJECT, forged)


async def test_replacements_are_told_of() -> None:
    made = encryption(hidden=lambda key: True)
    seal = Sealing(Handlers(made, "here", timeout=10))
    blob, json = await seal.seal_blob({}, SUBJECT, b"plain"), await seal.seal_json({}, SUBJECT, b'{"k":1}')
    fields = await seal.seal_fields({}, SUBJECT, {"k": 1})
    result = made.types.DecryptResult

    async def rotating(_: Any, data: bytes) -> Any:
        return result(turned(data), b"new")

    async def rotating_json(_: Any, data: dict[str, Any]) -> Any:
        return result({"k": 1}, {"k": "new"})

    made._blob_decryptor, made._json_decryptor = rotating, rotating_json
    seal = Sealing(Handlers(made, "here", timeout=10))
    told: list[tuple[Any, Any]] = []

    def replace(old: Any, new: Any) -> None:
        told.append((old, new))

    assert await seal.open_blob(SUBJECT, blob, replace) == b"plain"
    assert await seal.open_json(SUBJECT, json, replace) == b'{"k":1}'
    assert await seal.open_fields(SUBJECT, fields, replace) == {"k": 1}
    assert told[0] == (blob, blob.replace(turned(b"plain"), b"new"))
    assert told[1][1] == "bmV3"
    assert told[2] == (fields["k"], {"__sealed__": {"context": {}, "value": "new"}})
    assert is_json(json)


@pytest.mark.parametrize("missing", ["_blob_encryptor", "_blob_decryptor", "_json_decryptor"])
def test_what_would_protect_nothing_is_refused(missing: str) -> None:
    made = encryption(hidden=lambda key: True)
    setattr(made, missing, None)
    with pytest.raises(ConfigError, match=r"here has no handler for (en|de)crypt\.(blob|json)"):
        Handlers(made, "here", timeout=10)


def test_another_object_is_no_encryption() -> None:
    with pytest.raises(ConfigError, match="of type dict; it must be an Encryption"):
        Handlers({}, "here", timeout=10)


async def test_several_values_are_under_way_as_soon_as_one_waits() -> None:
    together = asyncio.Barrier(3)

    async def work(number: int) -> int:
        await together.wait()
        return number * 2

    assert await each(work, range(3)) == [0, 2, 4]


async def test_the_first_failure_ends_all() -> None:
    async def work(number: int) -> int:
        if number == 1:
            raise Invalid("one")
        await asyncio.Event().wait()
        return number

    with pytest.raises(Invalid, match="one"):
        await each(work, range(3))


async def test_the_loop_of_the_handlers_goes_on_beside_one_that_is_blocked() -> None:
    loop = HandlerLoop()
    loop.start()

    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    try:
        assert loop.run_blocking(work()) == "done"
        assert await loop.run(work()) == "done"
    finally:
        loop.stop()
