"""Text that others choose, in lines of the log."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 500


def one_line(text: str) -> str:
    """The beginning of `text` as it can stand in a line: whoever chose it chooses no further lines with it."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[:_LONGEST])
