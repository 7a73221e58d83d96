"""The YAML files of the document: read strictly, and every complaint says file, line and pointer."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml

Pointer = tuple[str | int, ...]


class SourceError(Exception):
    """Something is wrong in a file of the document. Its text is `file:line: #/pointer: what`."""

    def __init__(self, path: Path, pointer: Pointer | None, message: str, *, line: int | None = None) -> None:
        place = str(path)
        if line is None and pointer is not None:
            line = line_of(path, pointer)
        if line is not None:
            place += f":{line}"
        if pointer is not None:
            place += f": {written(pointer)}"
        super().__init__(f"{place}: {message}")


def written(pointer: Sequence[str | int]) -> str:
    """A pointer as references have it, such as `#/~1runs/post`."""
    return "#" + "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in pointer)


class _Loader(yaml.SafeLoader):
    """YAML as JSON can say it: each key once, all keys texts, no dates."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = self.construct_object(key, deep=True)
            line = key.start_mark.line + 1
            if not isinstance(name, str):
                raise _Unacceptable(f"the key {name!r} is not a text; put it in quotation marks", line)
            if name in seen:
                raise _Unacceptable(f"the key {name!r} is there already, in line {seen[name]}", line)
            seen[name] = line
        return super().construct_mapping(node, deep)


class _Unacceptable(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def _no_date(loader: _Loader, node: yaml.Node) -> Any:
    raise _Unacceptable("a date that is not a text; put it in quotation marks", node.start_mark.line + 1)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _no_date)


def read_source(path: Path) -> dict[str, Any]:
    """The content of a file, which has to be a mapping. Raises `SourceError`."""
    try:
        content = yaml.load(path.read_text("utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SourceError(path, None, f"cannot be read: {reason}") from None
    except _Unacceptable as error:
        raise SourceError(path, None, str(error), line=error.line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        raise SourceError(path, None, f"not YAML: {message}", line=mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        raise SourceError(path, None, f"not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise SourceError(path, None, "has to be a mapping")
    return content


def line_of(path: Path, pointer: Sequence[str | int]) -> int | None:
    """The line of what a pointer names, or of as much of it as the file has."""
    try:
        node = yaml.compose(path.read_text("utf-8"), yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return None
    line = None
    for step in pointer:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
