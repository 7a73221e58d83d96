"""Picking values out of threads by path: `values.messages[-1].content`."""

import re
from collections.abc import Mapping
from typing import Any, Final

from runyard.generated.models import Thread
from runyard.runtime.errors import Invalid

ROOTS: Final = ("config", "interrupts", "metadata", "values")

_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(-?\d{1,9})\]")

Path = list[str | int]


def extract(thread: Thread, paths: Mapping[str, Path]) -> dict[str, Any]:
    """What is at each path in the thread, by the names of `paths`; None where there is nothing."""
    return {name: _at(thread, path) for name, path in paths.items()}


def parse_paths(wanted: Mapping[str, str]) -> dict[str, Path]:
    """The steps of each path: keys of objects, and places in lists, negative ones from the end.

    Raises Invalid for a path that does not begin with one of `ROOTS`. One that cannot be read leads nowhere
    (observed at POST /threads/search), so it has no steps.
    """
    return {name: _parse(text) for name, text in wanted.items()}


def _parse(text: str) -> Path:
    root = re.split(r"[.\[]", text, maxsplit=1)[0]
    if root not in ROOTS:
        raise Invalid(f"Extract path {text!r} must start with one of: {', '.join(ROOTS)}")
    path: Path = [root]
    place = len(root)
    while place < len(text):
        step = _STEP.match(text, place)
        if step is None:
            return []
        path.append(step[1] if step[1] is not None else int(step[2]))
        place = step.end()
    return path


def _at(thread: Thread, path: Path) -> Any:
    if not path:
        return None
    found: Any = getattr(thread, str(path[0]))
    for step in path[1:]:
        if isinstance(step, str):
            if not isinstance(found, dict) or step not in found:
                return None
        elif not isinstance(found, list) or not -len(found) <= step < len(found):
            return None
        found = found[step]
    return found
