"""`runyard batch results`, and `submit` with a file for them: results are lines, each there once."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

from tests.cli.fake_server import FakeServer
from tests.cli.processes import Run, Start

from .batches import accepted, lines, text


def test_results_are_lines_in_the_order_of_the_batch(runyard: Run, fake: FakeServer) -> None:
    batch_id = accepted(runyard, fake, '{"n": 18446744073709551615}\n{"fail": "boom"}\n"a\u2028b"\n'.encode())
    result = runyard("batch", "results", batch_id, url=fake.url)
    assert result.returncode == 1
    found = [json.loads(line) for line in result.stdout.split(b"\n")[:-1]]
    assert [(line["batch_id"], line["index"], line["status"]) for line in found] == [
        (batch_id, 0, "success"),
        (batch_id, 1, "error"),
        (batch_id, 2, "success"),
    ]
    assert found[0]["values"] == {"n": 18446744073709551615}
    assert found[1]["error"] == {"error": "ValueError", "message": "boom"}
    assert found[2]["values"] == "a\u2028b"
    assert "3 runs ended" in text(result)
    assert "2 success, 1 error" in text(result)
    only = runyard("batch", "results", batch_id, "--status", "success", url=fake.url)
    assert only.returncode == 0
    assert [line["index"] for line in map(json.loads, only.stdout.split(b"\n")[:-1])] == [0, 2]


def test_results_that_break_off_are_asked_for_from_there(runyard: Run, fake: FakeServer) -> None:
    batch_id = accepted(runyard, fake, b"0\n1\n2\n3\n4\n")
    fake.break_after = 3
    result = runyard("batch", "results", batch_id, url=fake.url)
    assert [line["values"] for line in lines(result.stdout)] == [0, 1, 2, 3, 4]
    asked = [request.partition("?")[2] for request in fake.requests if "/results" in request]
    assert [query.partition("&")[0] for query in asked] == ["after=-1", "after=2"]


def test_a_file_that_was_interrupted_is_gone_on_with_and_put_into_order(
    start: Start, runyard: Run, fake: FakeServer, tmp_path: Path
) -> None:
    fake.told_limit = 3
    (tmp_path / "in.jsonl").write_text('{"n": 0}\n{"hold": 1}\n{"n": 2}\n{"n": 3}\n')
    submit = ("batch", "submit", "in.jsonl", "--assistant", "echo", "--output", "out.jsonl")
    process = start(*submit, url=fake.url)
    output = tmp_path / "out.jsonl"
    deadline = time.monotonic() + 60
    while (not output.exists() or output.read_bytes().count(b"\n") < 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert b"goes on" in stderr
    assert [line["index"] for line in lines(output.read_bytes())] == [0, 2]
    with output.open("ab") as file:
        file.write(b'{"batch_id":"cut o')
    fake.released.set()
    result = runyard(*submit, url=fake.url)
    assert result.returncode == 0, text(result)
    assert [line["values"] for line in lines(output.read_bytes())] == [{"n": 0}, {"hold": 1}, {"n": 2}, {"n": 3}]
    assert [batch.batch_id for batch in fake.batches] == list(
        dict.fromkeys(line["batch_id"] for line in lines(output.read_bytes()))
    )
    whole = output.read_bytes()
    repeated = runyard(*submit, url=fake.url)
    assert repeated.returncode == 0
    assert "No results came that were not there already" in text(repeated)
    assert output.read_bytes() == whole


def test_a_file_shows_the_latest_result_of_an_item_that_was_retried(
    runyard: Run, fake: FakeServer, tmp_path: Path
) -> None:
    batch_id = accepted(runyard, fake, b'{"fail": "boom"}\n1\n')
    collect = ("batch", "results", batch_id, "-o", "out.jsonl")
    assert runyard(*collect, url=fake.url).returncode == 1
    retried = runyard("batch", "retry", batch_id, "--json", url=fake.url)
    assert lines(retried.stdout)[0]["counts"]["success"] == 2
    assert runyard(*collect, url=fake.url).returncode == 0
    assert [line["values"] for line in lines((tmp_path / "out.jsonl").read_bytes())] == ["tried again", 1]


def test_a_whole_file_does_not_miss_what_the_server_no_longer_keeps(
    runyard: Run, fake: FakeServer, tmp_path: Path
) -> None:
    batch_id = accepted(runyard, fake, b"1\n2\n")
    collect = ("batch", "results", batch_id, "-o", "out.jsonl")
    assert runyard(*collect, url=fake.url).returncode == 0
    whole = (tmp_path / "out.jsonl").read_bytes()
    fake.gives_up_results = True
    assert runyard(*collect, url=fake.url).returncode == 0
    assert (tmp_path / "out.jsonl").read_bytes() == whole
    (tmp_path / "out.jsonl").write_bytes(whole.splitlines(keepends=True)[0])
    lacking = runyard(*collect, url=fake.url)
    assert lacking.returncode == 2
    assert "no longer kept" in text(lacking)


def test_a_file_with_something_else_is_left_alone(runyard: Run, fake: FakeServer, tmp_path: Path) -> None:
    batch_id = accepted(runyard, fake, b"1\n")
    for content in (b"mine\n", b'{"batch_id":"another","index":0,"run_id":"x","status":"success"}\n'):
        (tmp_path / "out.jsonl").write_bytes(content)
        result = runyard("batch", "results", batch_id, "--output", "out.jsonl", url=fake.url)
        assert result.returncode == 2
        assert "name another file" in text(result)
        assert (tmp_path / "out.jsonl").read_bytes() == content
