"""`runyard batch submit`: files become batches, and nothing is submitted twice."""

from __future__ import annotations

from pathlib import Path

from tests.cli.fake_server import FakeServer
from tests.cli.processes import Run

from .batches import accepted, lines, text


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
