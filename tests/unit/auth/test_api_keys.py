"""Authentication by API keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.auth import api_keys
from runyard.runtime.auth.api_keys import ApiKeys
from runyard.runtime.auth.principal import Principal
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.auth.requests import IncomingRequest
from runyard.runtime.errors import ConfigError, Unavailable

ONE, TWO, THREE = "one-key-of-many-letters", "two-key-of-many-letters", "three-key-of-many-letters"


async def asked(keys: ApiKeys, **headers: str) -> Principal:
    async def nothing() -> Any:
        return None

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return await keys.authenticate(IncomingRequest({"headers": raw}, nothing, lambda: None))


@pytest.fixture
def always_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "LOOK_INTERVAL", 0.0)


async def test_a_key_is_sent_as_the_stock_clients_do_or_as_a_bearer_token() -> None:
    keys = ApiKeys([ONE, f"batch:{TWO}"])
    unnamed = await asked(keys, x_api_key=ONE)
    assert unnamed.identity == (await asked(keys, authorization=f"bearer {ONE}")).identity
    assert (unnamed.identity or "").startswith("key-")
    named = await asked(keys, x_api_key=TWO)
    assert (named.identity, named.scope.identity, named.scope.filter) == ("batch", "batch", None)
    # Who has a key is no user of the graphs.
    assert (named.user, named.scope.user) == (None, None)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "An API key is needed; send it in the header x-api-key"),
        ({"authorization": f"Basic {ONE}"}, "An API key is needed"),
        ({"authorization": "Bearer "}, "An API key is needed"),
        ({"x_api_key": THREE}, "The API key is not known"),
        ({"x_api_key": ONE[:-1]}, "The API key is not known"),
        ({"x_api_key": THREE, "authorization": f"Bearer {ONE}"}, "The API key is not known"),
        ({"x_api_key": "ä"}, "The API key is not known"),
    ],
)
async def test_who_has_no_key_is_refused(headers: dict[str, str], said: str) -> None:
    with pytest.raises(Refusal, match=said) as caught:
        await asked(ApiKeys([ONE]), **headers)
    assert (caught.value.status, caught.value.headers) == (401, {"WWW-Authenticate": "Bearer"})


@pytest.mark.parametrize("entry", ["short", "name:short", "has a space in its middle", "na/me:short", "äöü" * 10])
def test_what_is_no_key_is_refused_without_being_shown(entry: str) -> None:
    with pytest.raises(ConfigError, match="RUNYARD_API_KEYS: entry 2 is no key of at least 16 characters") as caught:
        ApiKeys([ONE, entry])
    assert entry not in caught.value.detail


async def test_the_file_is_read_again_when_it_has_changed(tmp_path: Path, always_looks: None) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# of this month\n{ONE}\n\n  batch:{TWO}  \n")
    keys = ApiKeys([], file)
    assert (await asked(keys, x_api_key=TWO)).identity == "batch"
    other = tmp_path / "other"
    other.write_text(f"nonsense\n{THREE}\n")
    other.replace(file)
    assert (await asked(keys, x_api_key=THREE)).identity is not None
    for gone in (ONE, TWO, "nonsense"):
        with pytest.raises(Refusal):
            await asked(keys, x_api_key=gone)


async def test_while_the_file_cannot_be_read_nobody_is_let_in(
    tmp_path: Path, always_looks: None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    file.write_text(ONE)
    keys = ApiKeys([TWO], file)
    os.rename(file, tmp_path / "away")
    for key in (ONE, TWO):
        with pytest.raises(Unavailable, match="cannot be read at the moment"):
            await asked(keys, x_api_key=key)
    assert caplog.text.count("nobody is let in until it can be read") == 1
    os.rename(tmp_path / "away", file)
    assert (await asked(keys, x_api_key=ONE)).identity is not None


def test_a_start_without_any_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    with pytest.raises(ConfigError, match=f"RUNYARD_API_KEYS_FILE: {file} cannot be read: No such file"):
        ApiKeys([], file)
    file.write_text("# none yet\n")
    with pytest.raises(ConfigError, match="there is no key in it"):
        ApiKeys([], file)
