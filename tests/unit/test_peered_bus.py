"""Where servers tell each other what they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.config.project import Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError
from runyard.runtime.peered_bus import peered_bus
from tests.storage.postgres_server import address

NOWHERE = "host=/nowhere dbname=name"
PROJECT = Project(path=Path("langgraph.json"), directory=Path(), graphs={}, import_paths=())


@pytest.mark.parametrize(("direct", "connects"), [(True, True), (False, False)])
async def test_servers_tell_each_other_at_the_direct_address_if_there_is_one(direct: bool, connects: bool) -> None:
    settings = Settings(project=PROJECT, database=NOWHERE, database_direct=address() if direct else None)
    bus = peered_bus(settings, LinkedBus(), Loops())
    assert bus is not None
    await bus.start()
    try:
        assert (bus.state == "connected") is connects
    finally:
        await bus.stop()


def test_no_part_of_the_direct_address_is_shown_when_it_is_refused() -> None:
    settings = Settings(project=PROJECT, database=NOWHERE, database_direct="postgresql://me:hid/den@host/name")
    with pytest.raises(ConfigError) as refused:
        peered_bus(settings, LinkedBus(), Loops())
    assert "hid" not in refused.value.detail
