"""What scripts/generate says of mistakes, made on copies of the project's own files: the place, and no traceback."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@dataclass
class Checkout:
    """A copy of what scripts/generate reads."""

    root: Path

    def replace(self, file: str, old: str, new: str) -> int:
        """Replaces the first `old` of a file; gives the line in which it was."""
        path = self.root / "openapi" / file
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")
        return text[: text.index(old)].count("\n") + 1

    def generate(self) -> str:
        """What it says when it refuses, as one line."""
        done = subprocess.run(
            [self.root / "scripts" / "generate", "--check"], capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith("scripts/generate: ")
        return line.removeprefix("scripts/generate: ")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for folder in ("openapi", "scripts/interface_tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "scripts" / "generate", tmp_path / "scripts")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return Checkout(tmp_path)


def test_malformed_yaml_is_named_with_its_line(checkout: Checkout) -> None:
    line = checkout.replace("paths/system.yaml", "    summary:", "    summary: [")
    said = checkout.generate()
    found = re.match(r"openapi/paths/system\.yaml:(\d+): not YAML: ", said)
    assert found, said
    assert line <= int(found[1]) <= line + 1


def test_an_entry_that_a_reference_does_not_find_is_named_with_one_that_is_near(checkout: Checkout) -> None:
    line = checkout.replace("schemas/runs.yaml", '$ref: "#/RunStatus"', '$ref: "#/RunStatsu"')
    said = checkout.generate()
    # Run and RunPart share these lines.
    assert re.match(rf"openapi/schemas/runs\.yaml:{line}: #/Run(Part)?/properties/status/\$ref: ", said), said
    assert said.endswith(": #/RunStatsu refers to nothing; did you mean RunStatus?")


def test_a_file_that_a_reference_does_not_find_is_named(checkout: Checkout) -> None:
    line = checkout.replace(
        "paths/stateless_runs.yaml", "../schemas/runs.yaml#/RunList", "../schemas/rums.yaml#/RunList"
    )
    assert checkout.generate() == (
        f"openapi/paths/stateless_runs.yaml:{line}: #/~1runs~1batch/post/responses/200/content/application~1json/schema"
        "/$ref: ../schemas/rums.yaml#/RunList refers to a file that is not there"
    )


def test_a_reference_that_is_none_is_named(checkout: Checkout) -> None:
    line = checkout.replace("openapi.yaml", "$ref: paths/system.yaml#/~1ok", "$ref: 5")
    assert checkout.generate() == f"openapi/openapi.yaml:{line}: #/paths/~1ok/$ref: 5 is not <file>#/<name>"


def test_a_key_that_is_there_twice_is_named_with_both_lines(checkout: Checkout) -> None:
    line = checkout.replace("schemas/runs.yaml", "RunList:\n", "Run:\n")
    assert re.match(
        rf"openapi/schemas/runs\.yaml:{line}: the key 'Run' is there already, in line \d+$", checkout.generate()
    )


def test_a_name_in_two_files_is_named(checkout: Checkout) -> None:
    common = checkout.root / "openapi/schemas/common.yaml"
    common.write_text(common.read_text() + "Run:\n  type: object\n  description: Another one.\n")
    checkout.replace("paths/stateless_runs.yaml", "../schemas/runs.yaml#/Run\n", "../schemas/common.yaml#/Run\n")
    assert re.match(
        r"openapi/schemas/(runs|common)\.yaml:\d+: #/Run: Run is among the schemas of (runs|common)\.yaml already;",
        checkout.generate(),
    )


def test_an_operations_id_that_is_there_twice_is_named(checkout: Checkout) -> None:
    line = checkout.replace("paths/stateless_runs.yaml", "run_batch_stateless_runs_post", "run_stateless_runs_post")
    assert checkout.generate() == (
        f"openapi/paths/stateless_runs.yaml:{line}: #/~1runs~1batch/post/operationId: run_stateless_runs_post is "
        "POST /runs already"
    )


def test_an_invalid_schema_is_named(checkout: Checkout) -> None:
    line = checkout.replace("schemas/runs.yaml", "      maxLength: 65536", "      maxLength: long")
    said = checkout.generate()
    place = r"RunCreate(Stateless|Stateful|CamelCase)/properties/webhook/maxLength"
    assert re.match(rf"openapi/schemas/runs\.yaml:{line}: #/{place}: 'long' is not", said), said


def test_an_unknown_type_is_named(checkout: Checkout) -> None:
    line = checkout.replace("parameters.yaml", "    type: string\n", "    type: strin\n")
    said = checkout.generate()
    assert said.startswith(f"openapi/parameters.yaml:{line}: #/AssistantId/schema/type: 'strin' is not"), said


def test_an_operation_that_openapi_does_not_allow_is_named(checkout: Checkout) -> None:
    line = checkout.replace("parameters.yaml", "  in: query\n", "  in: quarry\n")
    said = checkout.generate()
    assert said.startswith(f'openapi/parameters.yaml:{line}: #/CancelAction/in: "quarry" is not one of'), said


def test_a_date_that_is_not_a_text_is_named(checkout: Checkout) -> None:
    line = checkout.replace("paths/system.yaml", "    summary:", "    x-sunset: 2027-01-31\n    summary:")
    assert (
        checkout.generate() == f"openapi/paths/system.yaml:{line}: a date that is not a text; put it in quotation marks"
    )


def test_a_missing_file_and_an_empty_one_are_named(checkout: Checkout) -> None:
    root = checkout.root / "openapi/openapi.yaml"
    root.write_text("")
    assert checkout.generate() == "openapi/openapi.yaml: has to be a mapping"
    root.unlink()
    assert checkout.generate() == "openapi/openapi.yaml: cannot be read: No such file or directory"


def test_an_operation_without_a_handler_is_named(checkout: Checkout) -> None:
    line = checkout.replace("paths/system.yaml", "    x-handler: system.info\n", "")
    said = checkout.generate()
    found = re.match(r"openapi/paths/system\.yaml:(\d+): #/~1info/get/x-handler: x-handler is None, ", said)
    assert found, said
    assert int(found[1]) < line


def test_two_operations_with_one_handler_are_named(checkout: Checkout) -> None:
    line = checkout.replace("paths/system.yaml", "x-handler: system.info", "x-handler: system.health")
    said = checkout.generate()
    assert said.startswith(f"openapi/paths/system.yaml:{line}: #/~1info/get/x-handler: "), said
    assert said.endswith("GET /ok has the same x-handler, system.health")
