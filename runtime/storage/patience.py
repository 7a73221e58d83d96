"""How long what is asked of storage may wait for a database that is away."""

from __future__ import annotations

import contextvars
from typing import Final

patience: Final[contextvars.ContextVar[float]] = contextvars.ContextVar("patience", default=0.0)
"""Seconds, for all that is asked in a context: so long, what fails only since the database is away is tried anew. A
client wants to know at once; what a run has done is worth waiting for as long as its lease may hold."""
