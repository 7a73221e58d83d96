"""Files of runs, one JSON value a line: read, validated, and kept byte for byte."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from runyard.handlers.contract.document import load_document
from runyard.handlers.contract.faults import Checked
from runyard.handlers.contract.json_body import parse_json
from runyard.handlers.contract.violations import describe_violations
from runyard.runtime.errors import Invalid

MAX_ITEMS = 10_000
"""Runs in one request to a server that does not say how many it takes."""
MAX_BYTES = 100 * 2**20
"""Bytes in one request: below the server's default body limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One run to submit. `line` counts from 1; `payload` is its JSON as the file has it."""

    line: int
    assistant_id: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a line cannot be submitted."""

    line: int
    text: str


class ItemReader:
    """Tells run payloads from bare inputs and validates them as the server would, by its parser and schema.

    An object with `assistant_id` is a payload; anything else is the input of a run of `assistant`.
    """

    def __init__(self, assistant: str | None) -> None:
        self.assistant = assistant
        schemas = load_document()["components"]["schemas"]
        self._schema = Checked(schemas["RunCreateStateless"], schemas)

    def read(self, lines: Iterable[bytes]) -> tuple[list[Item], list[Problem]]:
        """All items and all problems, in the order of the lines; blank lines are skipped."""
        items: list[Item] = []
        problems: list[Problem] = []
        for number, raw in enumerate(lines, 1):
            text = raw.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else raw.strip()
            if text:
                found = self._parse_line(number, text)
                (items if isinstance(found, Item) else problems).append(found)  # type: ignore[arg-type]
        return items, problems

    def _parse_line(self, line: int, text: bytes) -> Item | Problem:
        try:
            value = parse_json(text)
        except Invalid as error:
            return Problem(line=line, text=error.detail.replace("Invalid JSON in request body", "not JSON"))
        if not isinstance(value, dict) or "assistant_id" not in value:
            return self._parse_input(line, text)
        if complaint := describe_violations(self._schema, value, "body"):
            return Problem(line=line, text=complaint)
        return Item(line=line, assistant_id=value["assistant_id"], payload=text)

    def _parse_input(self, line: int, text: bytes) -> Item | Problem:
        if self.assistant is None:
            return Problem(line=line, text='no "assistant_id"; add it, or name one for bare inputs with --assistant')
        # The input goes out as it was written: parsing and writing it again could change numbers.
        payload = b'{"assistant_id":' + orjson.dumps(self.assistant) + b',"input":' + text + b"}"
        return Item(line=line, assistant_id=self.assistant, payload=payload)


def batches(items: list[Item], most: int = MAX_ITEMS) -> Iterator[list[Item]]:
    """The items in as few requests of at most so many as the limits allow, in order."""
    batch: list[Item] = []
    size = 0
    for item in items:
        if batch and (len(batch) == most or size + len(item.payload) > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item.payload) + 1
    if batch:
        yield batch
