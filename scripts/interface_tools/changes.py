"""What a comparison of two documents finds."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Side(enum.Flag):
    """The side of the interface on which a change breaks clients: a narrower request, a wider answer, or both."""

    NEITHER = 0
    REQUEST = enum.auto()
    ANSWER = enum.auto()
    BOTH = REQUEST | ANSWER


class Subject(enum.Enum):
    """What a change is about."""

    OPERATION = "operation"
    PARAMETER = "parameter"
    FIELD = "field"
    REQUIRED = "required"
    TYPE = "type"
    ENUM = "enum"
    BOUND = "bound"
    FORMAT = "format"
    DEFAULT = "default"
    HEADER = "header"
    STATUS = "status"
    MEDIA_TYPE = "media type"
    DEPRECATION = "deprecation"
    OTHER = "other"


@dataclass(frozen=True)
class Change:
    """One difference between two schemas: where, what, and the side on which it breaks clients.

    `owner` is a component that the schema extends, when the change is within what it has from there; the place is then
    relative to the component. `removes` marks what could have been deprecated before, `unannounced` what was not.
    """

    subject: Subject
    place: str
    kind: str
    breaks: Side
    detail: str = ""
    owner: str | None = None
    removes: bool = False
    unannounced: bool = False


@dataclass(frozen=True)
class Finding:
    """One difference between two documents.

    `key` is one line that stays the same as long as the difference is there: operation or component, place, kind.
    """

    key: str
    breaks: bool
    subject: Subject
    detail: str = ""
    removes: bool = False
    unannounced: bool = False

    def __str__(self) -> str:
        return f"{self.key} ({self.detail})" if self.detail else self.key


def finding(where: str, change: Change, side: Side) -> Finding:
    """What a change means at one side of the interface."""
    key = ": ".join(part for part in (where, change.place, change.kind) if part)
    return Finding(key, bool(change.breaks & side), change.subject, change.detail, change.removes, change.unannounced)
