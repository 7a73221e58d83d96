"""From settings to a backend."""

from pathlib import Path

from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.settings import Settings
from runyard.runtime.storage.port.storage import Meter, Storage
from runyard.runtime.storage.sqlite.storage import SqliteStorage

DATABASE = "runyard.db"


def make_storage(settings: Settings, meter: Meter | None = None, loops: Loops | None = None) -> Storage:
    """The backend that the settings name, not opened yet. `meter` is told what writes cost, and `loops` of what has to
    go on in the background."""
    return SqliteStorage(settings.data_dir / DATABASE, sync=settings.sync, meter=meter, loops=loops)


def storage_in(data_dir: Path) -> Storage:
    """What a data directory holds, not opened yet; for those who know nothing of the server that uses it."""
    return SqliteStorage(data_dir / DATABASE)
