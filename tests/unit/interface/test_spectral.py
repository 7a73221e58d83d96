"""The rules of .spectral.yaml: what they find in copies of the project's own document."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.programs import require_program

ROOT = Path(__file__).parents[3]
DOCUMENT = json.loads((ROOT / "generated" / "openapi.json").read_text("utf-8"))


def start_a_run(document: Any) -> Any:
    return document["paths"]["/runs"]["post"]


MISTAKES: dict[str, Callable[[Any], object]] = {
    "operation-description": lambda doc: start_a_run(doc).pop("description"),
    "operation-operationId": lambda doc: start_a_run(doc).pop("operationId"),
    "operation-tags": lambda doc: start_a_run(doc).pop("tags"),
    "operation-tag-defined": lambda doc: start_a_run(doc).update(tags=["Boats"]),
    "oas3-unused-component": lambda doc: doc["components"]["schemas"].update(Boat={"type": "object"}),
    "oas3-valid-media-example": lambda doc: start_a_run(doc)["requestBody"]["content"]["application/json"][
        "examples"
    ].update(wrong={"value": {"assistant_id": 5}}),
    "json-has-a-schema": lambda doc: start_a_run(doc)["responses"]["200"]["content"]["application/json"].pop("schema"),
    "extension-says-so": lambda doc: doc["paths"]["/guides"]["get"].update(description="Boats."),
    "known-extension-keys": lambda doc: start_a_run(doc).update({"x-boat": True}),
    "deprecated-since": lambda doc: start_a_run(doc).update(
        {"deprecated": True, "x-deprecated-since": "2026-11-02", "x-sunset": "soon"}
    ),
}


@pytest.mark.full
def test_each_mistake_is_found_by_its_rule(tmp_path: Path) -> None:
    for program in ("node", "npm"):
        require_program(program, why="the lint of the document")
    for rule, make in MISTAKES.items():
        document = copy.deepcopy(DOCUMENT)
        make(document)
        (tmp_path / f"{rule}.json").write_text(json.dumps(document))
    files = sorted(tmp_path.glob("*.json"))
    done = subprocess.run(
        [ROOT / "scripts" / "spectral", "--format", "json", *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 1, done.stderr
    results = json.loads(done.stdout[done.stdout.index("[") :])
    found = {(Path(result["source"]).stem, result["code"]) for result in results}
    assert found == {(rule, rule) for rule in MISTAKES}


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_without_node_it_warns_on_a_laptop_and_fails_in_ci(ci: str, code: int, tmp_path: Path) -> None:
    for program in ("bash", "dirname"):
        (tmp_path / program).symlink_to(shutil.which(program) or program)
    done = subprocess.run(
        [tmp_path / "bash", ROOT / "scripts" / "spectral"],
        env={**os.environ, "PATH": str(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == code
    assert "WARNING: NOT CHECKED: node is not on the PATH" in done.stderr
