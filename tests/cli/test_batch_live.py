"""`runyard batch` with a server: from the file to the results, and what failed once more."""

from __future__ import annotations

import json
from pathlib import Path

from tests.live_server import LiveServer

from .processes import Run


def test_a_batch_from_its_file_to_its_results(runyard: Run, live_server: LiveServer, tmp_path: Path) -> None:
    given = ['{"n": 1}', '{"assistant_id": "failing", "input": {}, "metadata": {"custom_id": "mine"}}', '{"n": 2}']
    (tmp_path / "in.jsonl").write_text("\n".join(given))
    submit = ("batch", "submit", "in.jsonl", "--assistant", "chain", "--output", "out.jsonl")

    first = runyard(*submit, url=live_server.url)
    assert first.returncode == 1, first.stderr
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert [(line["index"], line["status"], line["custom_id"]) for line in lines] == [
        (0, "success", None),
        (1, "error", "mine"),
        (2, "success", None),
    ]
    assert [lines[0]["values"]["n"], lines[2]["values"]["n"]] == [112, 113]

    assert b"had been accepted before" in runyard(*submit, url=live_server.url).stderr
    batch_id = lines[0]["batch_id"]
    assert b"in.jsonl" in runyard("batch", "list", "--limit", "1000", url=live_server.url).stdout
    assert b"2 success, 1 error" in runyard("batch", "show", batch_id, url=live_server.url).stdout

    assert runyard("batch", "retry", batch_id, url=live_server.url).returncode == 0
    assert runyard("batch", "watch", batch_id, url=live_server.url).returncode == 1
    assert runyard("batch", "results", batch_id, "-o", "out.jsonl", url=live_server.url).returncode == 1
    again = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert [line["run_id"] for line in again] == [lines[0]["run_id"], again[1]["run_id"], lines[2]["run_id"]]
    assert again[1]["retry_of"] == lines[1]["run_id"]

    late = runyard(
        *("batch", "submit", "-", "--assistant", "chain", "--name", "late"),
        stdin=b'{"assistant_id": "chain", "input": {"n": 1}, "after_seconds": 600}\n',
        url=live_server.url,
    )
    assert runyard("batch", "cancel", late.stdout.decode().strip(), url=live_server.url).returncode == 0
