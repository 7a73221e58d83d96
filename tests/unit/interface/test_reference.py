"""The interface beside that of the official server: what differs has its reason, and what is new is found."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.interface_tools.document import Document
from scripts.interface_tools.reference import DELIBERATE, KEPT, PRESENT, main, read_deliberate
from scripts.interface_tools.structure import structure_of, write

ROOT = Path(__file__).parents[3]
REFERENCE = json.loads((ROOT / KEPT).read_text("utf-8"))
OWN = json.loads((ROOT / PRESENT).read_text("utf-8"))
Edit = Callable[[Any], object]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for file in (KEPT, PRESENT, DELIBERATE):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def body_of(document: Any, name: str) -> Any:
    return document["components"]["schemas"][name]


def test_every_difference_has_a_reason_and_every_reason_a_difference(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0, capsys.readouterr().out


def test_operations_of_both_have_the_same_ids() -> None:
    for path, item in REFERENCE["paths"].items():
        for method, operation in item.items():
            if method in OWN["paths"].get(path, {}):
                assert OWN["paths"][path][method]["operationId"] == operation["operationId"]


def test_operations_beyond_the_reference_are_marked() -> None:
    # The official server has them all the same.
    unlisted = {"/", "/openapi.json", "/.well-known/agent-card.json", "/ui/{assistant_id}"}
    for path, item in OWN["paths"].items():
        for method, operation in item.items():
            beyond = method not in REFERENCE["paths"].get(path, {}) and path not in unlisted
            assert operation.get("x-runyard-extension", False) is beyond, f"{method} {path}"


def test_the_kept_structure_has_no_words_and_a_line_for_each_operation_and_schema() -> None:
    assert structure_of(Document(REFERENCE)) == REFERENCE
    text = (ROOT / KEPT).read_text("utf-8")
    assert text == write(REFERENCE)
    assert not [word for word in ("description", "summary", "title", "examples") if f'"{word}":"' in text]
    assert len(text) < 60_000


OWN_MISTAKES: dict[str, Edit] = {
    "POST /runs/batch: removed": lambda doc: doc["paths"]["/runs/batch"].pop("post"),
    "RunCreateStateless (request): webhook: field removed": lambda doc: body_of(doc, "RunCreateStateless")[
        "properties"
    ].pop("webhook"),
    "RunCreateStateless (request): stream_mode[]: value 'debug' removed": lambda doc: body_of(doc, "StreamMode")[
        "enum"
    ].remove("debug"),
    "AssistantCreate (request): name: now required": lambda doc: body_of(doc, "AssistantCreate")["required"].append(
        "name"
    ),
    "AssistantCreate (request): mood: field added": lambda doc: body_of(doc, "AssistantCreate")["properties"].update(
        mood={"type": "string"}
    ),
    "GET /guides/new: added": lambda doc: doc["paths"].update({"/guides/new": {"get": {"operationId": "new"}}}),
}


@pytest.mark.parametrize("key", OWN_MISTAKES)
def test_a_difference_without_a_reason_is_printed(key: str, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = copy.deepcopy(OWN)
    OWN_MISTAKES[key](document)
    (checkout / PRESENT).write_text(json.dumps(document))
    assert main([], checkout) == 1
    assert key in capsys.readouterr().out


def test_the_next_upstream_version_is_assessed_by_one_command(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream = copy.deepcopy(REFERENCE)
    upstream["info"] = {"version": "9.0.0", "title": "Another"}
    upstream["paths"]["/threads/merge"] = {"post": {"operationId": "merge", "summary": "Secret words", "responses": {}}}
    body_of(upstream, "RunCreateStateless")["properties"]["mood"] = {"type": "string", "description": "Secret words"}
    body_of(upstream, "ThreadPatch")["properties"]["metadata"] = {"type": ["object", "null"]}
    file = checkout / "upstream.json"
    file.write_text(json.dumps(upstream))

    assert main([str(file), "--keep"], checkout) == 1
    said = capsys.readouterr().out
    changed, here = said.split("Here, compared with 9.0.0: 3 without a reason")
    assert "to 9.0.0: 3 changes" in changed
    assert "harmless  POST /threads/merge: added" in changed
    assert "POST /threads/merge: removed" in here
    assert "RunCreateStateless (request): mood: field removed" in here
    assert "ThreadPatch (request): metadata: null no longer a type" in here
    kept = (checkout / KEPT).read_text()
    assert "/threads/merge" in kept
    assert "Secret words" not in kept


def test_a_reason_without_a_difference_is_stale(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (checkout / DELIBERATE).open("a") as file:
        file.write('\n[[deliberate]]\nreason = "Once."\ndifferences = ["POST /boats: *"]\n')
    assert main([], checkout) == 1
    assert "openapi/deliberate.toml: stale, nothing differs like this: POST /boats: *" in capsys.readouterr().out


def test_a_difference_without_words_for_its_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        read_deliberate('[[deliberate]]\nreason = ""\ndifferences = ["*"]\n')
