"""From settings to the bus among servers."""

from __future__ import annotations

from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.peers.bus import PeeredBus
from runyard.runtime.config.settings import Settings
from runyard.runtime.storage.backends import target_of


def peered_bus(settings: Settings, links: LinkedBus, loops: Loops) -> PeeredBus | None:
    """The bus among the servers that share a database; None: there is only this one. Raises ConfigError."""
    target = target_of(settings)
    if target is None:
        return None
    # Late: the client of the database is an extra.
    from runyard.runtime.bus.postgres.transport import PostgresTransport
    from runyard.runtime.storage.postgres.database.target import Target

    if settings.database_direct is not None:
        target = Target.parse(settings.database_direct, settings.database_schema)
    secret = settings.project.encryption is not None  # the database keeps for a while what it passes on
    return PeeredBus(links, PostgresTransport(target.url, target.schema), loops, secret=secret)
