"""What of a changed project `--reload` leaves to the next start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.config.project import AuthCache, AuthSection, Project, StoreIndex
from runyard.runtime.processes.reload import left_to_restart

AUTH = AuthSection(path="./auth.py:auth")
PROJECT = Project(
    path=Path("langgraph.json"), directory=Path(), graphs={}, import_paths=(), auth=AUTH, encryption="a:b"
)


@pytest.mark.parametrize(
    "changed",
    [
        {"auth": replace(AUTH, cache=AuthCache(headers=("x-user",)))},
        {"auth": replace(AUTH, path="./others.py:auth", disable_studio_auth=True)},
        {"encryption": "a:c"},
        {"store_index": StoreIndex(embed="a:b", dims=2)},
        {"unserved": {"talk": "it is JavaScript"}},
    ],
    ids=str,
)
def test_what_a_reload_brings_into_force_needs_no_restart(changed: dict[str, Any]) -> None:
    assert left_to_restart(PROJECT, replace(PROJECT, **changed)) == []


def test_security_of_the_document_needs_a_restart() -> None:
    changed = replace(AUTH, openapi={"security": []}, cache=AuthCache(headers=("x-user",)))
    assert left_to_restart(PROJECT, replace(PROJECT, auth=changed)) == ["auth.openapi"]


def test_authentication_that_was_added_needs_a_restart() -> None:
    assert left_to_restart(replace(PROJECT, auth=None), PROJECT) == ["auth"]
