"""Runs of assistants that others change at the same moment."""

from __future__ import annotations

import pytest

from runyard.runtime.errors import AssistantChanged
from runyard.runtime.services.latest_assistant import CHANGES, of_latest_assistant


@pytest.mark.parametrize("changes", [0, 1, CHANGES])
async def test_a_run_is_made_of_the_assistant_as_it_is_now(changes: int) -> None:
    tries = 0

    async def insert() -> int:
        nonlocal tries
        tries += 1
        if tries <= changes:
            raise AssistantChanged("changed")
        return tries

    assert await of_latest_assistant(insert) == changes + 1


async def test_who_changes_an_assistant_again_and_again_keeps_nobody_waiting_for_long() -> None:
    async def insert() -> int:
        raise AssistantChanged("changed")

    with pytest.raises(AssistantChanged):
        await of_latest_assistant(insert)
