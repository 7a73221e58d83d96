"""The lifetime of a thread."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Expiry:
    """A thread's lifetime: what goes, the thread or its history, so many minutes after the last change."""

    strategy: Literal["delete", "keep_latest"]
    minutes: float
