"""langgraph.json: what is understood, and what is said about what is not."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.project import CorsPolicy, GraphSpec, WebhookPolicy
from runyard.runtime.errors import ConfigError


def write(folder: Path, **content: Any) -> Path:
    file = folder / "langgraph.json"
    file.write_text(json.dumps({"graphs": {"g": "./g.py:graph"}, **content}))
    return file


def test_everything_that_a_project_may_say_is_read(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    file = write(
        tmp_path,
        dependencies=["./src", ".", "orjson"],
        graphs={"a": "./a.py:graph", "b": {"path": "package.module:make", "description": "Makes b."}},
        env={"ONE": "1", "TWO": 2},
        webhooks={"url": {"require_https": False}},
        http={"cors": {"allow_origins": ["https://x.example"], "allow_credentials": True, "max_age": 5}},
        python_version="3.12",
    )
    project = load_project(file)
    assert project.graphs == {
        "a": GraphSpec(graph_id="a", path="./a.py:graph", description=None),
        "b": GraphSpec(graph_id="b", path="package.module:make", description="Makes b."),
    }
    assert project.import_paths == (tmp_path / "src", tmp_path)
    assert project.env == {"ONE": "1", "TWO": "2"}
    assert project.webhooks == WebhookPolicy(require_https=False, disable_loopback=True)
    assert project.cors == CorsPolicy(allow_origins=("https://x.example",), allow_credentials=True, max_age=5)
    assert load_project(tmp_path) == project


def test_env_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# keys\nA=1\nexport B='two words'\n")
    assert load_project(write(tmp_path, env=".env")).env == {"A": "1", "B": "two words"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"graphs": {}}, "graphs is missing or empty"),
        ({"graphs": []}, "graphs is missing or empty"),
        ({"graphs": ["./a.py:g"]}, "graphs must be an object, not list"),
        ({"graphs": {"g": "./a.py"}}, "graphs.g"),
        ({"graphs": {"g": "./a.py:not a name"}}, "graphs.g"),
        ({"graphs": {"g": {"description": "x"}}}, "graphs.g"),
        ({"graphs": {"g": {"path": "a:b", "description": 1}}}, "graphs.g.description"),
        ({"graphs": {"g": None}}, "graphs.g"),
        ({"dependencies": "."}, "dependencies must be a list"),
        ({"dependencies": ["./nowhere"]}, 'folder "./nowhere" does not exist'),
        ({"env": "missing.env"}, "missing.env does not exist"),
        ({"env": {"A": {}}}, "env.A must be a string"),
        ({"env": {"A": True}}, "env.A must be a string"),
        ({"webhooks": {"url": {"require_https": "no"}}}, "webhooks.url.require_https must be true or false"),
        ({"webhooks": {"url": {"allowed_domains": ["x"]}}}, "webhooks.url.allowed_domains"),
        ({"http": {"cors": {"allow_origins": "*"}}}, "http.cors.allow_origins must be a list of strings"),
        ({"http": {"cors": {"max_age": "1"}}}, "http.cors.max_age must be of type int"),
        ({"http": {"cors": {"origins": []}}}, "http.cors.origins is not known"),
        ({"http": {"disable_store": True}}, "http.disable_store"),
        ({"auth": {"path": "./auth.py:auth"}}, "auth: custom authentication is not supported yet"),
        ({"encryption": {"path": "./e.py:e"}}, "encryption"),
    ],
)
def test_mistakes_are_one_line_with_file_and_key(tmp_path: Path, content: Any, said: str) -> None:
    file = write(tmp_path, **content)
    with pytest.raises(ConfigError) as error:
        load_project(file)
    assert said in error.value.detail
    assert str(file) in error.value.detail
    assert "\n" not in error.value.detail


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"graphs": {"a": "b:c"},}', "\ufeff\0"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "langgraph.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"langgraph\.json: "):
        load_project(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_project(tmp_path / "nope.json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"store": {"index": {"embed": "x", "dims": 3}}}, "store is ignored"),
        ({"checkpointer": {"ttl": {"default_ttl": 1}}}, "checkpointer is ignored"),
        ({"http": {"app": "./a.py:app"}}, "http.app is ignored"),
        ({"webhooks": {"headers": {"a": "b"}}}, "webhooks.headers is ignored"),
        ({"frobnicate": 1}, "frobnicate is ignored"),
        (
            {"dependencies": ["no-such-distribution-of-anyone"]},
            "no-such-distribution-of-anyone is not installed",
        ),
        ({"dependencies": ["orjson<0.1"]}, "orjson<0.1 is asked for"),
    ],
)
def test_what_is_ignored_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture, content: Any, said: str) -> None:
    with caplog.at_level(logging.WARNING):
        load_project(write(tmp_path, **content))
    assert said in caplog.text


def test_keys_for_images_are_ignored_silently(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_project(write(tmp_path, python_version="3.11", dockerfile_lines=[], auth={}))
    assert caplog.text == ""
