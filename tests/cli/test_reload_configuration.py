"""`runyard serve --reload`: changes of langgraph.json, of its env file, and of authentication."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live_server import LiveServer, StartServer

from .reloading import await_log, changed, configure, reloading_server, say, write_project

pytestmark = pytest.mark.full


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


@pytest.fixture
def server(start_server: StartServer, project: Path) -> LiveServer:
    return reloading_server(start_server, project)


def test_a_changed_env_file_is_served(server: LiveServer, project: Path) -> None:
    changed(server, lambda: (project / "code.env").write_text("NAME=Grace\n"))
    assert say(server) == "hello Grace"


def test_a_broken_configuration_keeps_the_last_one(server: LiveServer, project: Path) -> None:
    (project / "langgraph.json").write_text("{")
    await_log(server, "what was served before goes on")
    assert say(server) == "hello Ada"


def test_an_index_that_the_database_has_no_room_for_keeps_the_last_configuration(project: Path, tmp_path: Path) -> None:
    (project / "meanings.py").write_text("def embed(texts):\n    return [[1.0] * 16_001 for _ in texts]\n")
    graphs, index = {"talk": "./talking.py:graph"}, {"embed": "./meanings.py:embed", "dims": 16_001}
    configuration, args = project / "langgraph.json", ("--workers", "1", "--reload")
    server = LiveServer(tmp_path / "data", config=configuration, args=args, backend="postgres")
    try:
        workers = server.start().await_workers(1)
        configure(project, graphs, store={"index": index})
        await_log(server, "what was served before goes on")
        (refused,) = [line for line in server.log.read_text().splitlines() if "what was served before" in line]
        assert "store.index.dims is 16001, and pgvector has room for 16000 numbers in a vector" in refused
        assert say(server) == "hello Ada"
        assert server.workers() == workers
        server.post("/store/items/search", {"namespace_prefix": ["any"]})
        changed(server, lambda: configure(project, graphs))
        assert say(server) == "hello Ada"
    finally:
        server.close()


def test_what_only_a_restart_brings_is_named(server: LiveServer, project: Path) -> None:
    graphs = {"talk": "./talking.py:graph"}
    changed(server, lambda: configure(project, graphs, http={"cors": {"allow_origins": ["https://a.example"]}}))
    await_log(server, "cors has changed; that needs a restart")
    assert server.log.read_text().count("needs a restart") == 1


AUTH = """
from langgraph_sdk import Auth

auth = Auth()

@auth.authenticate
def authenticate(authorization: str | None):
    if authorization != "Bearer {token}":
        raise Auth.exceptions.HTTPException(401)
    return "ann"
"""


def test_changed_authentication_is_asked_with_the_next_request(start_server: StartServer, project: Path) -> None:
    code = project / "auth.py"
    code.write_text(AUTH.replace("{token}", "old"))
    configure(project, {"talk": "./talking.py:graph"}, auth={"path": "./auth.py:auth"})
    server = start_server(config=project / "langgraph.json", args=("--workers", "1", "--reload"))

    def status(token: str) -> int:
        return server.http.get(f"{server.url}/metrics", headers={"authorization": f"Bearer {token}"}).status_code

    assert (status("old"), status("newer")) == (200, 401)
    changed(server, lambda: code.write_text(AUTH.replace("{token}", "newer")))
    assert (status("old"), status("newer")) == (401, 200)
    code.write_text("auth = None\n")
    await_log(server, "it must be an Auth of langgraph_sdk; what was served before goes on")
    configure(project, {"talk": "./talking.py:graph"})
    await_log(server, "auth was taken away; restart the server to serve without it")
    assert (status("old"), status("newer"), status("other")) == (401, 200, 401)
