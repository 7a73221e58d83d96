"""The suite itself: no operation of the port is left out."""

from __future__ import annotations

import re
from pathlib import Path

from runyard.runtime.storage.port import storage as port


def test_every_operation_is_called() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    parts = {
        name: part.fget.__annotations__["return"]
        for name, part in vars(port.Storage).items()
        if isinstance(part, property) and part.fget is not None
    }
    assert parts.keys() >= {"runs", "queue", "workers", "threads", "assistants", "events", "checkpoints", "deliveries"}
    missing = [
        f"{part}.{operation}"
        for part, protocol in parts.items()
        for operation in vars(protocol)
        if not operation.startswith("_") and not re.search(rf"\b{part}\.{operation}\b", tests)
    ]
    assert missing == []
