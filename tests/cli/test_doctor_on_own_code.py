"""`runyard doctor` on the code that a project brings beside its graphs."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .diagnosed import configure, diagnose, of, write_project
from .processes import Run

pytestmark = pytest.mark.full


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


AUTH = """
from langgraph_sdk import Auth

auth, empty = Auth(), Auth()

@auth.authenticate
async def authenticate(headers):
    return "ann"
"""


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("auth", 0, "./auth.py:auth says who makes a request"),
        ("empty", 2, "has no handler that says who asks"),
        ("nothing", 2, "has no 'nothing'"),
    ],
)
def test_what_says_who_asks_is_loaded_too(runyard: Run, project: Path, name: str, code: int, said: str) -> None:
    (project / "auth.py").write_text(AUTH)
    configure(project, auth={"path": f"./auth.py:{name}"})
    found_code, findings = diagnose(runyard, project)
    found = of(findings, "auth")
    assert (found_code, found["level"]) == (code, "unusable" if code else "ok")
    assert said in found["message"]


APP = """
from starlette.applications import Starlette

app = Starlette()

def make_app():
    return app
"""


@pytest.mark.parametrize(
    ("name", "code", "level", "said"),
    [
        ("app", 0, "ok", "./app.py:app loads"),
        ("make_app", 2, "unusable", "name what it returns: app = make_app()"),
        ("absent", 2, "unusable", "app.py has no 'absent'"),
    ],
)
def test_the_projects_own_application(runyard: Run, project: Path, name: str, code: int, level: str, said: str) -> None:
    (project / "app.py").write_text(APP)
    configure(project, http={"app": f"./app.py:{name}"})
    found_code, findings = diagnose(runyard)
    found = of(findings, "app")
    assert (found_code, found["level"]) == (code, level)
    assert said in found["message"]


ENCRYPTION = """
from langgraph_sdk import Encryption

encryption, half = Encryption(), Encryption()

@encryption.encrypt.blob
@encryption.decrypt.blob
async def turned(ctx, data):
    return data[::-1]

@half.encrypt.blob
async def encrypt(ctx, data):
    return data
"""


@pytest.mark.parametrize(
    ("name", "code", "levels", "said"),
    [
        ("encryption", 0, ["ok", "note"], "./encryption.py:encryption encrypts what is stored"),
        ("half", 2, ["unusable"], "has no handler for decrypt.blob"),
        ("absent", 2, ["unusable"], "has no 'absent'"),
    ],
)
def test_what_encrypts_is_loaded_too(
    runyard: Run, project: Path, name: str, code: int, levels: list[str], said: str
) -> None:
    (project / "encryption.py").write_text(ENCRYPTION)
    configure(project, encryption={"path": f"./encryption.py:{name}"})
    found_code, findings = diagnose(runyard, project)
    found = [finding for finding in findings if finding["check"] == "encryption"]
    assert (found_code, [finding["level"] for finding in found]) == (code, levels)
    assert said in found[0]["message"]


def test_data_that_are_encrypted_need_the_encryption(runyard: Run, project: Path) -> None:
    storage = SqliteStorage(project / ".runyard" / "runyard.db")
    storage.open(maintain=False, encrypted=True)
    storage.close()
    code, findings = diagnose(runyard, project)
    assert code == 1
    assert "holds encrypted data" in of(findings, "data")["message"]
