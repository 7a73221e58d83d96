"""The `encryption` of langgraph.json: whose code encrypts what is stored."""

from __future__ import annotations

import logging
from typing import Any

from runyard.runtime.config.reading import section
from runyard.runtime.errors import ConfigError

logger = logging.getLogger(__name__)


def read_encryption(file: str, raw: dict[str, Any]) -> str | None:
    """The path of the project's `Encryption` object; None when there is none.

    Raises ConfigError: what is meant to protect must not be passed over. Vectors of texts tell much of the texts, and
    cannot be searched when they are encrypted, so that there are none beside `encryption`.
    """
    place = f"{file}: encryption"
    encryption = section(f"{file}: ", raw, "encryption")
    if not encryption:
        return None
    for key in encryption.keys() - {"path"}:
        logger.warning("%s.%s is ignored: the key is not known", place, key)
    path = encryption.get("path")
    target, _, name = path.rpartition(":") if isinstance(path, str) else ("", "", "")
    if not target or not name.isidentifier():
        raise ConfigError(
            f'{place}.path must be "./file.py:name" or "package.module:name"; remove encryption to store plain text'
        )
    if (raw.get("store") or {}).get("index"):
        raise ConfigError(
            f"{file}: store.index cannot be had beside encryption: the vectors of texts would be stored as they are, "
            "and texts can be guessed from them; remove one of the two"
        )
    assert isinstance(path, str)
    return path
