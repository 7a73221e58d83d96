"""The `checkpointer` of langgraph.json: how long threads live, and what states may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.project import (
    SerdeSection,
    ThreadTtl,
)

from .project_file import write


def test_the_lifetime_of_threads(tmp_path: Path) -> None:
    ttl = {"strategy": "keep_latest", "default_ttl": 90, "sweep_interval_minutes": 0.5, "sweep_limit": 10}
    project = load_project(write(tmp_path, checkpointer={"ttl": ttl}))
    assert project.thread_ttl == ThreadTtl(strategy="keep_latest", minutes=90, sweep_seconds=30, sweep_limit=10)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({}, SerdeSection()),
        ({"allowed_msgpack_modules": True}, SerdeSection(classes=None)),
        ({"allowed_msgpack_modules": None}, SerdeSection(classes=())),
        ({"allowed_msgpack_modules": []}, SerdeSection(classes=())),
        (
            {"allowed_msgpack_modules": [["a.b", "C"], ["a", "b", "D"]]},
            SerdeSection(classes=(("a.b", "C"), ("a.b", "D"))),
        ),
        ({"allowed_json_modules": None}, SerdeSection(json_classes=())),
        ({"allowed_json_modules": False}, SerdeSection(json_classes=())),
        ({"allowed_json_modules": True}, SerdeSection(json_classes=True)),
        (
            {"allowed_json_modules": [["a.b", "C"], ["a", "b", "D"]]},
            SerdeSection(json_classes=(("a", "b", "C"), ("a", "b", "D"))),
        ),
        ({"pickle_fallback": True}, SerdeSection(pickles=True)),
        ({"pickle_fallback": None}, SerdeSection(pickles=False)),
    ],
)
def test_what_states_may_hold(tmp_path: Path, given: Any, read: SerdeSection) -> None:
    assert load_project(write(tmp_path, checkpointer={"serde": given})).serde == read
