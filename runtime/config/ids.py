"""The spellings of ids: clients may use any that Python's `UUID` takes, and are answered in the usual one."""

from __future__ import annotations

import re

_USUAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_DIGITS = re.compile(r"[0-9a-f]{32}", re.ASCII)


def usual_id(text: str) -> str | None:
    """The id in lower case with hyphens; None when `text` is no UUID.

    32 digits, hyphens anywhere between them, capitals, braces around them and `urn:uuid:` before them are taken.
    """
    if _USUAL.fullmatch(text):
        return text
    digits = text.lower().replace("urn:", "").replace("uuid:", "").strip("{}").replace("-", "")
    if not _DIGITS.fullmatch(digits):
        return None
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
