"""scripts/interface on a small checkout: what it refuses, and how it is told that a break is meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.interface_tools.interface import begin_anew, main

Json = dict[str, Any]
Say = Callable[..., list[str]]

CHANGELOG = """# Changelog

## [0.2.0] - unreleased

### Changed

- Winds are numbers,
  in knots.

## [0.1.0] - 2026-11-02

- Winds are words.
"""


def document(version: str, *parameters: Json, **more: Any) -> Json:
    operation = {"operationId": "sail", "parameters": [*parameters], "responses": {}, **more}
    return {"info": {"version": version}, "paths": {"/boats": {"get": operation}}}


def wind(kind: str = "string", **more: Any) -> Json:
    return {"name": "wind", "in": "query", "schema": {"type": kind}, **more}


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """What is objected to the way from one document to another, with some lines of accepted breaks."""

    def objections(old: Json, new: Json, accepted: str = "") -> list[str]:
        for folder in ("openapi", "generated"):
            (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / "openapi/released.json").write_text(json.dumps(old))
        (tmp_path / "generated/openapi.json").write_text(json.dumps(new))
        (tmp_path / "openapi/accepted-breaks.txt").write_text("# Accepted.\n" + accepted)
        (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
        failed = main([], tmp_path)
        said = capsys.readouterr().err
        assert failed == bool(said)
        return [each.strip() for each in said.split("scripts/interface: ")[1:]]

    return objections


BREAK = "GET /boats: query.wind: string no longer a type"


def test_no_change_needs_no_line(say: Say) -> None:
    assert say(document("0.1.0", wind()), document("0.2.0", wind())) == []


def test_a_break_is_refused_and_the_remedy_named(say: Say) -> None:
    (said,) = say(document("0.1.0", wind()), document("0.2.0", wind("number")))
    assert said.startswith(BREAK)
    assert f"accept it: {BREAK} => <changelog entry>" in said


def test_a_break_is_accepted_with_the_words_of_the_changelog(say: Say) -> None:
    documents = document("0.1.0", wind()), document("0.2.0", wind("number"))
    assert say(*documents, f"{BREAK} => Winds are numbers, in knots.\n") == []
    for words, complaint in {
        "": ":2: names no entry of the changelog",
        " => Winds are gone": ":2: CHANGELOG.md has no entry for 0.2.0 that begins with: Winds are gone",
        " => Winds are words.": ":2: CHANGELOG.md has no entry for 0.2.0",
    }.items():
        (said,) = say(*documents, BREAK + words)
        assert complaint in said


def test_a_line_without_its_break_is_stale(say: Say) -> None:
    (said,) = say(document("0.1.0", wind()), document("0.2.0", wind()), f"{BREAK} => Winds are numbers")
    assert said == f"openapi/accepted-breaks.txt:2: stale, there is no such break: {BREAK}"


def test_what_was_not_deprecated_is_not_removed_even_when_that_is_accepted(say: Say) -> None:
    line = "GET /boats: query.wind: parameter removed => Winds are numbers"
    (said,) = say(document("0.1.0", wind()), document("0.2.0"), line)
    assert "it was not deprecated in 0.1.0" in said


def test_what_was_deprecated_is_removed_one_minor_version_later_with_its_line(say: Say) -> None:
    old, line = document("0.1.0", wind(deprecated=True)), "GET /boats: query.wind: parameter removed => Winds are"
    said, _ = say(old, document("0.1.1"), line)
    assert "goes with the next minor version" in said
    (said,) = say(old, document("0.2.0"))
    assert "accept it" in said
    assert say(old, document("0.2.0"), line) == []


def test_operations_and_fields_are_deprecated_before_they_are_removed(say: Say) -> None:
    def body(**fields: Json) -> Json:
        return {"requestBody": {"content": {"application/json": {"schema": {"type": "object", "properties": fields}}}}}

    (said,) = say(document("0.1.0", **body(a={})), document("0.2.0", **body()))
    assert "it was not deprecated" in said
    (said,) = say(document("0.1.0", **body(a={"deprecated": True})), document("0.2.0", **body()))
    assert "accept it" in said
    nothing = {"info": {"version": "0.2.0"}, "paths": {}}
    (said,) = say(document("0.1.0"), nothing)
    assert "it was not deprecated" in said
    (said,) = say(document("0.1.0", deprecated=True), nothing)
    assert "accept it" in said


def test_the_changelogs_section_names_breaks_first(
    say: Say, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say(document("0.1.0", wind()), document("0.2.0", wind("number"), wind(name="sea"), deprecated=True))
    assert main(["--changelog"], tmp_path) == 0
    assert capsys.readouterr().out.splitlines() == [
        "### Interface",
        "",
        f"- Breaks clients: `{BREAK}`",
        "- Deprecated: `GET /boats: deprecated`",
        "- New: `GET /boats: query.sea: parameter added`",
        "- Changed: `GET /boats: query.wind: number added as a type`",
    ]


def test_a_release_begins_anew(say: Say, tmp_path: Path) -> None:
    say(document("0.1.0", wind()), document("0.2.0", wind("number")), f"{BREAK} => Winds are numbers")
    assert begin_anew(tmp_path)
    assert main([], tmp_path) == 0
    assert not begin_anew(tmp_path)


def test_an_unreadable_document_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(SystemExit, match=r"scripts/interface: .*broken.json"):
        main([str(broken), str(broken)])
