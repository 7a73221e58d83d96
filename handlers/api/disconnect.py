"""What happens to a run when its client disconnects."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from runyard.generated.models import Run
from runyard.runtime.errors import RunyardError
from runyard.runtime.scope import Scope

if TYPE_CHECKING:
    from runyard.handlers.http.disconnect import OnDisconnect


class AbandonService(Protocol):
    """Where a run is given up."""

    async def abandon(self, scope: Scope, run: Run) -> None:
        """Cancels a run that is to end with its client's connection. Raises NotFound when it has ended."""


def cancel_on_disconnect(runs: AbandonService, scope: Scope, run: Run) -> OnDisconnect:
    """Cancels `run`, if it has not ended by then."""

    async def cancel() -> None:
        with suppress(RunyardError):  # it may have ended, or have been deleted, by now
            await runs.abandon(scope, run)

    return cancel
