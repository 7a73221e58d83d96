"""Which lines are runs, and what is said about those that are not."""

import json

import pytest

from runyard.handlers.cli.batch import input_file
from runyard.handlers.cli.batch.input_file import Item, ItemReader, batches

ASSISTANT = "11111111-1111-4111-8111-111111111111"


def read(text: str, assistant: str | None = "echo") -> tuple[list[Item], dict[int, str]]:
    items, problems = ItemReader(assistant).read(text.encode().splitlines(keepends=True))
    return items, {problem.line: problem.text for problem in problems}


@pytest.mark.parametrize("value", ['{"n":1}', "[1,2]", '"text"', "7", "1.50", "true", "null", "{}"])
def test_a_bare_input_of_any_type_goes_out_as_written(value: str) -> None:
    items, problems = read(value)
    assert not problems
    assert items[0].payload == b'{"assistant_id":"echo","input":%s}' % value.encode()


def test_numbers_are_not_changed_on_the_way() -> None:
    line = '{"n": 18446744073709551615, "x": 1.000000000000000000001}'
    items, _ = read(line)
    assert line.encode() in items[0].payload


def test_a_payload_is_sent_byte_for_byte_and_names_its_own_assistant() -> None:
    line = '{"assistant_id": "other",  "input": {"é": 1}, "after_seconds": 2}'
    items, problems = read(line)
    assert not problems
    assert items == [
        Item(line=1, assistant_id="other", payload=line.encode()),
    ]


def test_blank_lines_byte_order_mark_and_windows_line_ends() -> None:
    items, problems = read('\ufeff{"a":1}\r\n\r\n   \n{"a":2}')
    assert not problems
    assert [item.line for item in items] == [1, 4]
    assert json.loads(items[0].payload)["input"] == {"a": 1}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "not JSON"),
        ("[1", "not JSON"),
        ('{"x": NaN}', "not JSON"),
        ('{"x": "\\ud800"}', "not JSON"),
        ("[" * 250 + "]" * 250, "deeper than 200"),
        ('{"n": 123456789012345678901234567890}', "does not fit into 64 bits"),
        ('{"n": 1, "n": 2}', "more than once"),
        ('{"x": "\\u0000"}', "NUL"),
        ('{"assistant_id": 3}', 'body.assistant_id: 3 is not of type "string"'),
        ('{"assistant_id": null}', "body.assistant_id: null"),
        ('{"assistant_id": "echo", "config": {"tags": ["a", 1]}}', "body.config.tags[1]: 1 is not of type"),
        ('{"assistant_id": "echo", "metadata": null}', "body.metadata: null is not of type"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(line: str, expected: str) -> None:
    items, problems = read(f'{{"ok":1}}\n{line}\n{{"ok":2}}')
    assert [item.line for item in items] == [1, 3]
    assert problems.keys() == {2}
    assert expected in problems[2]


def test_bytes_that_are_no_text() -> None:
    items, problems = ItemReader("echo").read([b'{"a": "\xff"}\n'])
    assert not items
    assert "not JSON" in problems[0].text


def test_a_bare_input_without_an_assistant_says_how_to_name_one() -> None:
    items, problems = read('{"n":1}\n"text"\n{"assistant_id":"echo"}', assistant=None)
    assert [item.line for item in items] == [3]
    assert problems.keys() == {1, 2}
    assert "--assistant" in problems[1]


def test_batches_keep_the_order_and_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    items, _ = read("\n".join(str(n) for n in range(7)))
    assert [[item.line for item in batch] for batch in batches(items, 3)] == [[1, 2, 3], [4, 5, 6], [7]]
    monkeypatch.setattr(input_file, "MAX_BYTES", 2 * len(items[0].payload) + 1)
    assert [len(batch) for batch in batches(items, 3)] == [2, 2, 2, 1]
