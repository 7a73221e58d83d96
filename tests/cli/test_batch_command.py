"""`runyard batch` as a process, against a fake server."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from .fake_server import FakeServer
from .processes import Run, Start


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def text(result: subprocess.CompletedProcess[bytes]) -> str:
    assert b"Traceback" not in result.stderr
    return result.stderr.decode()


def test_followed_results_come_in_order_with_values_and_errors(runyard: Run, fake: FakeServer) -> None:
    given = b'{"wait": 0.3}\n\n{"fail": "boom"}\n{"assistant_id": "echo", "input": {"pause": 1}}\n"word"\n'
    result = runyard("batch", "submit", "-", "--assistant", "echo", "--follow", stdin=given, url=fake.url)
    assert result.returncode == 1
    found = lines(result.stdout)
    assert [(run["line"], run["status"]) for run in found] == [
        (1, "success"),
        (3, "error"),
        (4, "paused"),
        (5, "success"),
    ]
    assert found[0]["values"] == {"wait": 0.3}
    assert found[1]["error"] == {"error": "ValueError", "message": "boom"}
    assert found[2]["values"]["__interrupt__"][0]["value"] == 1
    assert found[3]["values"] == "word"
    assert "4 runs ended" in text(result)
    assert "line 3: ValueError: boom" in text(result)


def test_out_implies_follow_and_success_exits_with_zero(runyard: Run, fake: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"n": 18446744073709551615}\n')
    result = runyard("batch", "submit", "in.jsonl", "--assistant", "echo", "--out", "out.jsonl", url=fake.url)
    assert result.returncode == 0, text(result)
    assert result.stdout == b""
    (run,) = lines((tmp_path / "out.jsonl").read_bytes())
    assert run["values"] == {"n": 18446744073709551615}


def test_one_atomic_request_as_long_as_it_fits(runyard: Run, fake: FakeServer) -> None:
    given = "".join(f"{n}\n" for n in range(3000)).encode()
    result = runyard("batch", "submit", "-", "--assistant", "echo", stdin=given, url=fake.url)
    assert result.returncode == 0, text(result)
    assert [len(batch) for batch in fake.batches] == [3000]
    assert [item["input"] for item in fake.batches[0]] == list(range(3000))
    assert [run["status"] for run in lines(result.stdout)] == ["pending"] * 3000
    assert "3,000 runs accepted" in text(result)


def test_a_file_larger_than_a_batch_is_announced_and_split(runyard: Run, fake: FakeServer) -> None:
    given = b"0\n" * 10_001
    result = runyard("batch", "submit", "-", "--assistant", "echo", stdin=given, url=fake.url)
    assert result.returncode == 0, text(result)
    assert [len(batch) for batch in fake.batches] == [10_000, 1]
    assert "sending 2 batches" in text(result)


def test_a_batch_has_as_many_runs_as_the_servers_document_says(runyard: Run, fake: FakeServer) -> None:
    fake.told_limit = 4
    given = "".join(f"{n}\n" for n in range(10)).encode()
    result = runyard("batch", "submit", "-", "--assistant", "echo", "--follow", stdin=given, url=fake.url)
    assert result.returncode == 0, text(result)
    assert [len(batch) for batch in fake.batches] == [4, 4, 2]
    assert [run["values"] for run in lines(result.stdout)] == list(range(10))


def test_a_batch_that_the_server_finds_too_large_is_halved(runyard: Run, fake: FakeServer) -> None:
    fake.max_items = 3
    given = "".join(f"{n}\n" for n in range(10)).encode()
    result = runyard("batch", "submit", "-", "--assistant", "echo", "--follow", stdin=given, url=fake.url)
    assert result.returncode == 0, text(result)
    assert [item["input"] for batch in fake.batches for item in batch] == list(range(10))
    assert [run["values"] for run in lines(result.stdout)] == list(range(10))
    assert "smaller batches" in text(result)


def test_all_invalid_lines_are_named_and_nothing_is_sent(runyard: Run, fake: FakeServer) -> None:
    given = b'{"a": 1}\n{"a"\n{"assistant_id": 5}\n{"assistant_id": "nobody"}\n'
    result = runyard("batch", "submit", "-", "--assistant", "echo", stdin=given, url=fake.url)
    assert result.returncode == 2
    assert "line 2: not JSON" in text(result)
    assert "line 3: body.assistant_id" in text(result)
    assert "nothing was sent" in text(result)
    assert fake.batches == []


def test_unknown_assistants_are_asked_for_first(runyard: Run, fake: FakeServer) -> None:
    given = b'{"a": 1}\n{"assistant_id": "nobody"}\n{"assistant_id": "00000000-0000-4000-8000-000000000000"}\n'
    result = runyard("batch", "submit", "-", "--assistant", "echo", stdin=given, url=fake.url)
    assert result.returncode == 2
    assert "line 2: unknown assistant 'nobody'; the server's graphs: echo" in text(result)
    assert "line 3: unknown assistant '00000000" in text(result)
    assert fake.batches == []


def test_a_refusal_names_the_line_of_the_file(runyard: Run, fake: FakeServer) -> None:
    given = b'\n"fine"\n\n"refuse me"\n'
    result = runyard("batch", "submit", "-", "--assistant", "echo", stdin=given, url=fake.url)
    assert result.returncode == 2
    assert "line 4: body[1].input: not this" in text(result)
    assert result.stdout == b""


def test_what_was_accepted_before_a_refusal_is_listed(runyard: Run, fake: FakeServer) -> None:
    fake.max_items = 2
    given = b'"a"\n"b"\n"c"\n"refuse me"\n'
    result = runyard("batch", "submit", "-", "--assistant", "echo", "--follow", stdin=given, url=fake.url)
    assert result.returncode == 2
    assert "The first 2 runs were accepted" in text(result)
    assert [(run["line"], run["status"]) for run in lines(result.stdout)] == [(1, "pending"), (2, "pending")]


def test_a_list_of_accepted_runs_can_be_followed_later(runyard: Run, fake: FakeServer, tmp_path: Path) -> None:
    given = b'{"n": 1}\n{"fail": "late"}\n'
    accepted = runyard("batch", "submit", "-", "--assistant", "echo", stdin=given, url=fake.url)
    (tmp_path / "runs.jsonl").write_bytes(accepted.stdout)
    result = runyard("batch", "follow", "runs.jsonl", "--out", "runs.jsonl", url=fake.url)
    assert result.returncode == 1
    found = lines((tmp_path / "runs.jsonl").read_bytes())
    assert [(run["line"], run["status"]) for run in found] == [(1, "success"), (2, "error")]
    again = runyard("batch", "follow", "runs.jsonl", url=fake.url)
    assert lines(again.stdout) == found


def test_a_server_that_comes_back_is_waited_for(runyard: Run, fake: FakeServer) -> None:
    fake.failing_joins = 2
    result = runyard("batch", "submit", "-", "--assistant", "echo", "--follow", stdin=b"1\n", url=fake.url)
    assert result.returncode == 0, text(result)
    assert lines(result.stdout)[0]["values"] == 1


def test_interrupted_while_following(start: Start, fake: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n{"wait": 30}\n')
    process = start("batch", "submit", "in.jsonl", "--assistant", "echo", "--out", "out.jsonl", url=fake.url)
    deadline = time.monotonic() + 20
    while not fake.batches and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert b"go on" in stderr
    assert b"runyard batch follow out.jsonl" in stderr
    found = lines((tmp_path / "out.jsonl").read_bytes())
    assert [run["status"] for run in found] == ["success", "pending"]


def test_no_server(runyard: Run) -> None:
    result = runyard("batch", "submit", "-", "--assistant", "echo", stdin=b"1\n", url="http://127.0.0.1:9")
    assert result.returncode == 1
    assert "no server answers at http://127.0.0.1:9" in text(result)
    assert "runyard serve" in text(result)
    assert len(text(result).splitlines()) == 1


def test_wrong_options(runyard: Run, fake: FakeServer) -> None:
    for arguments, said in [
        (("nowhere.jsonl",), "nowhere.jsonl"),
        (("-", "--url", "localhost:1"), "http://127.0.0.1:8123"),
        (("-", "--out", "no/such/place"), "no/such/place"),
        (("-",), "no runs in it"),
    ]:
        given = b"" if arguments == ("-",) else b"1\n"
        result = runyard("batch", "submit", *arguments, "--assistant", "echo", stdin=given, url=fake.url)
        assert result.returncode == 2, arguments
        assert said in text(result)
    assert fake.batches == []


def test_help_and_version(runyard: Run) -> None:
    for arguments in ([], ["serve"], ["batch"], ["batch", "submit"], ["batch", "follow"]):
        result = runyard(*arguments, "--help")
        assert result.returncode == 0
        assert b"Usage: runyard" in result.stdout
    assert runyard("--version").stdout.startswith(b"runyard 0.")
