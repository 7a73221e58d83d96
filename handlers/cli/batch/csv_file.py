"""Tables of runs: CSV files whose first row names the columns."""

import csv
from collections.abc import Iterable, Iterator

import orjson

from runyard.handlers.cli.batch.input_file import Item, Problem

CUSTOM_ID = "custom_id"
"""The column that becomes the `custom_id` of the run's metadata, which its result shows."""


def read_table(lines: Iterable[bytes], assistant: str | None) -> tuple[list[Item], list[Problem]]:
    """A run of `assistant` for each row, with an input that has the cells by the names of their columns, all as text.
    All items and all problems, in the order of the rows; empty rows are skipped."""
    if assistant is None:
        return [], [Problem(line=1, text="a row is the input of a run: name its assistant with --assistant")]
    items: list[Item] = []
    problems: list[Problem] = []
    try:
        rows = csv.reader(_decoded(lines), strict=True)
        columns = next(rows, [])
        if len(set(columns)) < len(columns) or "" in columns:
            return [], [Problem(line=1, text="each column needs a name of its own, in the first row")]
        for row in rows:
            if not row:
                continue
            if len(row) != len(columns):
                problems.append(
                    Problem(line=rows.line_num, text=f"{len(row)} cells where there are {len(columns)} columns")
                )
                continue
            cells = dict(zip(columns, row, strict=True))
            payload: dict[str, object] = {"assistant_id": assistant}
            if CUSTOM_ID in cells:
                payload["metadata"] = {CUSTOM_ID: cells.pop(CUSTOM_ID)}
            items.append(
                Item(line=rows.line_num, assistant_id=assistant, payload=orjson.dumps({**payload, "input": cells}))
            )
    except csv.Error as error:
        problems.append(Problem(line=rows.line_num, text=f"not CSV: {error}"))
    except UnicodeDecodeError as error:
        problems.append(Problem(line=len(items) + 2, text=f"not UTF-8: {error.reason}"))
    return items, problems


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for number, raw in enumerate(lines):
        yield raw.decode("utf-8-sig" if number == 0 else "utf-8")
