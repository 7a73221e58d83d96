"""`runyard batch` against a fake server: in this process, and as one of its own where it is interrupted or watched."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runyard.handlers.cli.main import main

from .fake_server import FakeServer
from .processes import Run, Start


@pytest.fixture
def runyard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in this process, which takes a tenth of the time."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, stdin: bytes = b"", url: str = "") -> subprocess.CompletedProcess[bytes]:
        given = [str(argument) for argument in arguments]
        result = CliRunner().invoke(
            main, given, input=stdin, prog_name="runyard", env={"RUNYARD_URL": url, "COLUMNS": "200"}
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return subprocess.CompletedProcess(given, result.exit_code, result.stdout_bytes, result.stderr_bytes)

    return run


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def text(result: subprocess.CompletedProcess[bytes]) -> str:
    return result.stderr.decode()


def accepted(runyard: Run, fake: FakeServer, given: bytes, *more: str) -> str:
    """The id of a batch that is submitted."""
    result = runyard("batch", "submit", "-", "--assistant", "echo", *more, stdin=given, url=fake.url)
    assert result.returncode == 0, text(result)
    return result.stdout.decode().strip()


# Submitting


def test_a_file_is_submitted_as_a_batch_whose_id_is_written(runyard: Run, fake: FakeServer) -> None:
    given = "".join(f"{n}\n" for n in range(3000)).encode()
    batch_id = accepted(runyard, fake, given)
    (batch,) = fake.batches
    assert batch_id == batch.batch_id
    assert [item["input"] for item in batch.items] == list(range(3000))


def test_the_same_file_again_is_the_same_batch(runyard: Run, fake: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n{"n": 2}\n')
    submit = ("batch", "submit", "in.jsonl", "--assistant", "echo")
    first, second = (runyard(*submit, url=fake.url) for _ in range(2))
    assert first.stdout == second.stdout
    assert "had been accepted before" in text(second)
    assert len(fake.batches) == 1
    for others in (("--new",), ("--new",), ("--name", "another"), ("--key", "mine")):
        assert runyard(*submit, *others, url=fake.url).stdout != first.stdout
    assert len(fake.batches) == 5
    assert fake.batches[0].headers["x-batch-name"] == "in.jsonl"
    assert fake.batches[4].headers["idempotency-key"] == "mine-1"


def test_a_large_file_is_several_batches_each_with_its_own_key(runyard: Run, fake: FakeServer) -> None:
    fake.told_limit = 4
    given = b'"the same"\n' * 10
    result = runyard("batch", "submit", "-", "--assistant", "echo", "--json", stdin=given, url=fake.url)
    assert "sending 3 batches" in text(result)
    assert [sum(batch["counts"].values()) for batch in lines(result.stdout)] == [4, 4, 2]
    assert len({batch.headers["idempotency-key"] for batch in fake.batches}) == 3


def test_an_interrupted_submission_goes_on_with_the_batches_that_are_missing(runyard: Run, fake: FakeServer) -> None:
    fake.told_limit = 2
    begun = runyard("batch", "submit", "-", "--assistant", "echo", stdin=b'1\n2\n"refuse me"\n', url=fake.url)
    assert begun.returncode == 2
    assert "The first 2 runs were accepted" in text(begun)
    assert "line 3: body[0].input: not this" in text(begun)
    result = runyard("batch", "submit", "-", "--assistant", "echo", stdin=b"1\n2\n3\n", url=fake.url)
    assert result.returncode == 0
    assert [[item["input"] for item in batch.items] for batch in fake.batches] == [[1, 2], [3]]
    assert result.stdout.startswith(begun.stdout)


def test_a_batch_that_the_server_finds_too_large_is_halved(runyard: Run, fake: FakeServer) -> None:
    fake.max_items = 3
    given = "".join(f"{n}\n" for n in range(10)).encode()
    result = runyard("batch", "submit", "-", "--assistant", "echo", stdin=given, url=fake.url)
    assert [item["input"] for batch in fake.batches for item in batch.items] == list(range(10))
    assert "smaller batches" in text(result)


def test_a_batch_whose_answer_got_lost_is_sent_again_and_there_once(runyard: Run, fake: FakeServer) -> None:
    fake.lose_answers = 2
    assert accepted(runyard, fake, b"1\n") == fake.batches[0].batch_id
    assert len(fake.batches) == 1


def test_what_is_asked_for_a_batch_as_a_whole_goes_into_headers(runyard: Run, fake: FakeServer) -> None:
    accepted(
        runyard,
        fake,
        b"1\n",
        *("--name", "nightly ü", "--metadata", '{"ä": 1}', "--webhook", "https://example.com/", "--tries", "3"),
        *("--max-concurrency", "5", "--start-within", "60", "--finish-within", "90", "--result-ttl", "7"),
    )
    headers = fake.batches[0].headers
    assert {name: text for name, text in headers.items() if name.startswith("x-batch")} == {
        "x-batch-name": "nightly ?",
        "x-batch-metadata": '{"\\u00e4": 1}',
        "x-batch-webhook": "https://example.com/",
        "x-batch-retry": '{"tries": 3}',
        "x-batch-max-concurrency": "5",
        "x-batch-start-within": "60.0",
        "x-batch-finish-within": "90.0",
        "x-batch-result-ttl": "7.0",
    }


def test_a_table_is_a_run_for_each_row(runyard: Run, fake: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes('\ufefftopic,custom_id,n\n"lakes, deep",a,1\n\nrivers,b,\n'.encode())
    result = runyard("batch", "submit", "in.csv", "--assistant", "echo", "-o", "out.jsonl", url=fake.url)
    assert result.returncode == 0, text(result)
    found = lines((tmp_path / "out.jsonl").read_bytes())
    assert [(line["custom_id"], line["values"]) for line in found] == [
        ("a", {"topic": "lakes, deep", "n": "1"}),
        ("b", {"topic": "rivers", "n": ""}),
    ]


def test_rows_that_do_not_fit_the_table_are_named(runyard: Run, fake: FakeServer) -> None:
    for given, said in [
        (b"a,b\n1\n1,2\n1,2,3\n", ["line 2: 1 cells", "line 4: 3 cells"]),
        (b"a,a\n1,2\n", ["line 1: each column"]),
        (b'a\n"b\n', ["not CSV"]),
        (b"a\n\xff\n", ["not UTF-8"]),
    ]:
        result = runyard("batch", "submit", "-", "--assistant", "echo", "--format", "csv", stdin=given, url=fake.url)
        assert result.returncode == 2
        assert all(each in text(result) for each in said), text(result)
    result = runyard("batch", "submit", "-", "--format", "csv", stdin=b"a\n1\n", url=fake.url)
    assert "--assistant" in text(result)
    assert fake.batches == []


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


# Results


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
    deadline = time.monotonic() + 20
    while (not output.exists() or output.read_bytes().count(b"\n") < 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
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


# Looking, watching, stopping, trying again


def test_batches_are_listed_and_shown(runyard: Run, fake: FakeServer) -> None:
    batch_id = accepted(runyard, fake, b'1\n{"fail": "boom"}\n', "--name", "first")
    accepted(runyard, fake, b'{"hold": 1}\n', "--name", "second")
    listed = runyard("batch", "list", url=fake.url).stdout.decode()
    assert listed.index("second") < listed.index("first")
    assert "2 of 2" in listed
    running = runyard("batch", "list", "--status", "running", "--json", url=fake.url)
    assert [batch["name"] for batch in lines(running.stdout)] == ["second"]
    shown = runyard("batch", "show", batch_id, url=fake.url).stdout.decode()
    for said in ("first", "completed, 100% of 2 runs ended", "1 success, 1 error", "p50 0.25 s, p95 2 s", "12 input"):
        assert said in shown
    (told,) = lines(runyard("batch", "show", batch_id, "--json", url=fake.url).stdout)
    assert told["batch_id"] == batch_id


def test_a_batch_is_watched_until_it_has_ended(start: Start, fake: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('1\n{"hold": 1}\n')
    process = start("batch", "submit", "in.jsonl", "--assistant", "echo", "--watch", url=fake.url)
    assert process.stdout is not None
    batch_id = process.stdout.readline().decode().strip()
    told = start("batch", "watch", batch_id, "--json", url=fake.url)
    assert told.stdout is not None
    assert json.loads(told.stdout.readline())["status"] == "running"
    fake.released.set()
    assert [json.loads(line)["status"] for line in told.stdout] == ["completed"]
    assert process.wait(20) == told.wait(20) == 0


def test_a_batch_is_cancelled(runyard: Run, fake: FakeServer) -> None:
    batch_id = accepted(runyard, fake, b'1\n{"hold": 1}\n')
    result = runyard("batch", "cancel", batch_id, url=fake.url)
    assert result.returncode == 0
    assert "cancelled, 1 success, 1 interrupted" in text(result)
    assert runyard("batch", "watch", batch_id, url=fake.url).returncode == 1


def test_shells_complete_commands_and_ids_of_batches(start: Start, runyard: Run, fake: FakeServer) -> None:
    batch_id = accepted(runyard, fake, b"1\n", "--name", "nightly")
    for shell in ("bash", "zsh", "fish"):
        assert b"_RUNYARD_COMPLETE" in runyard("completion", shell).stdout
    words = {"_RUNYARD_COMPLETE": "zsh_complete", "COMP_WORDS": "runyard batch show ", "COMP_CWORD": "3"}
    offered, _ = start(url=fake.url, **words).communicate(timeout=20)
    assert batch_id in offered.decode()
    assert "nightly, completed" in offered.decode()
    nobody, _ = start(url="http://127.0.0.1:9", **words).communicate(timeout=20)
    assert nobody.strip() == b""


# What is wrong


def test_no_server(runyard: Run) -> None:
    for command in (("submit", "-", "--assistant", "echo"), ("list",), ("show", str(uuid.uuid4()))):
        result = runyard("batch", *command, stdin=b"1\n", url="http://127.0.0.1:9")
        assert result.returncode == 1
        assert "no server answers at http://127.0.0.1:9" in text(result)
        assert "runyard serve" in text(result)
        assert len(text(result).splitlines()) == 1


def test_wrong_options(runyard: Run, fake: FakeServer) -> None:
    for arguments, said in [
        (("submit", "nowhere.jsonl"), "nowhere.jsonl"),
        (("submit", "-", "--url", "localhost:1"), "http://127.0.0.1:8123"),
        (("submit", "-"), "no runs in it"),
        (("submit", "-", "--key", "a", "--new"), "exclude each other"),
        (("submit", "-", "--metadata", "[]"), "expected a JSON object"),
        (("show", "mine"), "no id of a batch"),
        (("show", str(uuid.uuid4())), "not found"),
        (("results",), "BATCH"),
    ]:
        given = b"" if arguments == ("submit", "-") else b"1\n"
        more = ("--assistant", "echo") if arguments[0] == "submit" else ()
        result = runyard("batch", *arguments, *more, stdin=given, url=fake.url)
        assert result.returncode == 2, arguments
        assert said in text(result)
    assert fake.batches == []
    batch_id = accepted(runyard, fake, b"1\n")
    assert runyard("batch", "results", batch_id, "-o", "no/such/place", url=fake.url).returncode == 2


def test_help_and_version(runyard: Run) -> None:
    commands = ("submit", "list", "show", "watch", "results", "cancel", "retry")
    for arguments in ([], ["serve"], ["batch"], ["completion"], *(["batch", command] for command in commands)):
        result = runyard(*arguments, "--help")
        assert result.returncode == 0
        assert b"Usage: runyard" in result.stdout
    assert runyard("--version").stdout.startswith(b"runyard 0.")
