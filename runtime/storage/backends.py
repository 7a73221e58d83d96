"""From settings to a backend."""

from runyard.runtime.config.settings import Settings
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.sqlite.storage import SqliteStorage


def make_storage(settings: Settings) -> Storage:
    """The backend that the settings name, not opened yet."""
    return SqliteStorage(settings.data_dir / "runyard.db", sync=settings.sync)
