"""Searches for part of a name, whatever its case: letters of every alphabet, and signs that mean something to a
database."""

from __future__ import annotations

import uuid
from typing import Any

from runyard.generated.models import AssistantSearchRequest
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.assistants import DefaultAssistant
from runyard.runtime.storage.port.storage import Storage

from .batches import insert_batch

ALL = Scope.everything()
NAMES = ["Änderungen", "ÄNDERUNG 2", "Straße", "ΣΊΣΥΦΟΣ", "Σίσυφος", "Привет", "100% [a.b]_*\\d", "1000 aXb", "ßtraSSe"]
WANTED = [
    ("änderung", ["Änderungen", "ÄNDERUNG 2"]),
    ("ÄNDERUNGEN", ["Änderungen"]),
    ("anderung", []),
    ("σίσυφοσ", ["ΣΊΣΥΦΟΣ", "Σίσυφος"]),
    ("ΦΟΣ", ["ΣΊΣΥΦΟΣ", "Σίσυφος"]),
    ("ΠРИВЕТ", []),  # another alphabet's letter
    ("ПРИВЕТ", ["Привет"]),
    ("STRAẞE", ["Straße"]),
    ("strasse", []),
    ("SSE", ["ßtraSSe"]),
    ("100%", ["100% [a.b]_*\\d"]),
    ("[A.B]_*\\D", ["100% [a.b]_*\\d"]),
    ("a.b", ["100% [a.b]_*\\d"]),
    ("%", ["100% [a.b]_*\\d"]),
    ("\u212a", []),  # the sign of kelvin is a k
    ("", NAMES),
]


async def test_assistants_are_found_by_part_of_their_name_in_every_alphabet(storage: Storage) -> None:
    await storage.assistants.ensure_system([DefaultAssistant(str(uuid.uuid4()), "graph", name, None) for name in NAMES])

    async def found(part: str) -> list[str]:
        rows = await storage.assistants.search(ALL, AssistantSearchRequest(name=part), limit=20, offset=0)
        return sorted(assistant.name for assistant in rows)

    assert {part: await found(part) for part, _ in WANTED} == {part: sorted(names) for part, names in WANTED}


async def test_batches_are_found_by_part_of_their_name_in_every_alphabet(storage: Storage) -> None:
    for name in NAMES:
        await insert_batch(storage, 1, name=name)

    async def found(part: str) -> list[str | None]:
        given: dict[str, Any] = {"statuses": None, "metadata": None, "limit": 20, "offset": 0}
        return sorted((batch.name for batch in await storage.batches.search(ALL, name=part, **given)), key=str)

    assert {part: await found(part) for part, _ in WANTED} == {part: sorted(names) for part, names in WANTED}
