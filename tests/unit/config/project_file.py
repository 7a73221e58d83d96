"""A langgraph.json, as tests write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write(folder: Path, **content: Any) -> Path:
    file = folder / "langgraph.json"
    file.write_text(json.dumps({"graphs": {"g": "./g.py:graph"}, **content}))
    return file
