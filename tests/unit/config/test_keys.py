"""Of every key that the published schema of langgraph.json has, it is known what is done with it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.config.keys import KEYS, is_known, refuse_keys, used_keys, warn_of_keys
from runyard.runtime.errors import ConfigError

PUBLISHED = Path(__file__).with_name("published_keys.txt").read_text().split()
"""Dotted paths; `*` is a name that projects choose. From https://langgra.ph/schema.json and the documentation."""


@pytest.mark.parametrize("path", PUBLISHED)
def test_every_published_key_is_known(path: str) -> None:
    assert is_known(path)


@pytest.mark.parametrize("path", ["colour", "http.colour", "graphs.*.colour", "store.ttl.colour", "uis", "*"])
def test_others_are_not(path: str) -> None:
    assert not is_known(path)


@pytest.mark.parametrize("path", KEYS)
def test_each_says_what_it_is_for_or_what_is_lost(path: str) -> None:
    said = KEYS[path].said
    assert said
    assert not said.endswith(".")


@pytest.mark.parametrize(
    ("raw", "treated"),
    [
        ({"graphs": {"a": "./a.py:g"}}, {}),
        ({"graphs": {"a.b": {"path": "./a.py:g"}}}, {"graphs.a.b.path": "honoured"}),
        ({"env": {"A": "1"}, "source": {"kind": "uv"}}, {"env": "honoured", "source": "image"}),
        ({"store": {"ttl": {"default_ttl": 1}, "index": None}}, {"store.ttl.default_ttl": "honoured"}),
        ({"priority": {}, "checkpointer": {"backend": "default"}}, {}),
        ({"http": None, "store": [], "colour": None}, {}),
        ({"colour": 0, "http": {"hue": []}}, {"colour": "unknown", "http.hue": "unknown"}),
        ({"checkpointer": {"serde": {"allowed_msgpack_modules": None}}}, {}),
        ({"auth": {"cache": {"max_size": 1}}}, {"auth.cache.max_size": "honoured"}),
    ],
)
def test_a_key_that_asks_for_something_is_used(raw: dict[str, Any], treated: dict[str, str]) -> None:
    assert {used.path: used.key.treatment for used in used_keys(raw)} == treated


def test_what_is_ignored_is_named_once_with_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warn_of_keys("file", used_keys({"priority": "./a.py:p", "env": {}, "image_distro": "wolfi", "colour": 1}))
    assert caplog.messages == [
        f"file: priority is ignored: {KEYS['priority'].said}",
        "file: colour is ignored: the key is not known",
    ]


def test_what_is_refused_ends_the_start_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"^file: checkpointer\.path: .*; remove the key to serve without it$"):
        refuse_keys("file", used_keys({"checkpointer": {"path": "./c.py:saver"}}))
