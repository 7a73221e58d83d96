"""From settings to a backend."""

from runyard.runtime.config.settings import Settings
from runyard.runtime.storage.port.storage import Meter, Storage
from runyard.runtime.storage.sqlite.migrations import SchemaState, read_schema_state
from runyard.runtime.storage.sqlite.storage import SqliteStorage

DATABASE = "runyard.db"


def make_storage(settings: Settings, meter: Meter | None = None) -> Storage:
    """The backend that the settings name, not opened yet. `meter` is told what writes cost."""
    return SqliteStorage(settings.data_dir / DATABASE, sync=settings.sync, meter=meter)


def schema_state(settings: Settings) -> SchemaState:
    """How far the database's schema is. Changes nothing. Raises ConfigError for what is no database of Runyard's."""
    return read_schema_state(settings.data_dir / DATABASE)
