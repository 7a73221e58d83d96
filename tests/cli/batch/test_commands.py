"""The other commands of `runyard batch`, and what is wrong with how they are called."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from tests.cli.fake_server import FakeServer
from tests.cli.processes import Run, Start

from .batches import accepted, lines, text

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
    assert process.wait(60) == told.wait(60) == 0


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
    offered, _ = start(url=fake.url, **words).communicate(timeout=60)
    assert batch_id in offered.decode()
    assert "nightly, completed" in offered.decode()
    nobody, _ = start(url="http://127.0.0.1:9", **words).communicate(timeout=60)
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
