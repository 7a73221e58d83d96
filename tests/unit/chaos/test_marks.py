"""Marks as the nodes of scripts/chaos_project write them, and what plain LangGraph makes of its graphs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.chaos_suite.marks import MarkFiles
from scripts.chaos_suite.plain import expected, expected_after
from scripts.chaos_suite.stories import Mark

LINE = ["run", "thread", 1, "tag", "0", 10, "start", 2.0]


def test_each_mark_is_read_once_and_in_order(tmp_path: Path) -> None:
    files = MarkFiles(tmp_path)
    (tmp_path / "10-1.jsonl").write_text(f"{json.dumps(LINE)}\n")
    (tmp_path / "11-1.jsonl").write_text(f"{json.dumps([*LINE[:7], 1.0])}\n")
    assert [mark.time for mark in files.new()] == [1.0, 2.0]
    assert files.new() == []


def test_a_line_that_a_kill_has_cut_is_read_when_it_is_whole(tmp_path: Path) -> None:
    files, path, line = MarkFiles(tmp_path), tmp_path / "10-1.jsonl", json.dumps(LINE)
    path.write_text(line[:10])
    assert files.new() == []
    path.write_text(f"{line}\n")
    assert files.new() == [Mark("run", "thread", 1, "tag", "0", 10, "start", 2.0)]


@pytest.mark.parametrize(
    ("graph", "done"),
    [
        ("steps", ("t:0", "t:1", "t:left", "t:right")),
        ("blocking", ("t:0", "t:1")),
        ("stubborn", ("t:0", "t:1")),
        ("failing", ("t:0", "t:1")),
        ("asking", ("t:first",)),
    ],
)
def test_plain_langgraph_says_what_a_run_leaves(graph: str, done: tuple[str, ...]) -> None:
    assert expected(graph, "t", 2) == done


def test_plain_langgraph_says_what_an_answer_leaves() -> None:
    assert expected_after("asking", "t", 2, "yes") == ("t:first", "t:ask=yes", "t:last")
