"""What `http.app` may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.runtime.config.project import AppSection, GraphSpec, Project
from runyard.runtime.errors import ConfigError
from runyard.runtime.webapp.loading import load_web_app

CODE = """
import os

class App:
    async def __call__(self, scope, receive, send):
        ...

app = App()

async def function(scope, receive, send):
    ...

def make_app():
    return app

def wsgi(environ, start_response):
    ...

class Wsgi:
    def __call__(self, environ, start_response):
        ...

wsgi_app = Wsgi()
"""


def project(folder: Path, path: str | None) -> Project:
    (folder / "app_of_a_test.py").write_text(CODE)
    return Project(
        path=folder / "langgraph.json",
        directory=folder,
        graphs={"g": GraphSpec(graph_id="g", path="./g.py:graph", description=None)},
        import_paths=(),
        app=None if path is None else AppSection(path=path),
    )


@pytest.mark.parametrize("name", ["app", "function"])
def test_an_asgi_application_is_loaded(tmp_path: Path, name: str) -> None:
    web_app = load_web_app(project(tmp_path, f"./app_of_a_test.py:{name}"), timeout=1)
    assert web_app is not None
    assert callable(web_app.asgi)
    assert web_app.place == f"{tmp_path}/langgraph.json: http.app (./app_of_a_test.py:{name})"


def test_a_project_without_one_has_none(tmp_path: Path) -> None:
    assert load_web_app(project(tmp_path, None), timeout=1) is None


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("make_app", "is a function, and no ASGI application; if it makes one, name what it returns: app = make_app()"),
        ("App", "is the class App; it must be an ASGI application, such as FastAPI"),
        ("os", "is of type module; it must be an ASGI application"),
        ("wsgi", "is a function, and no ASGI application"),
        ("wsgi_app", "is of type Wsgi, which is no ASGI application: it takes no scope, receive and send; WSGI"),
        ("nothing", "app_of_a_test.py has no 'nothing'"),
    ],
)
def test_anything_else_is_refused_with_what_to_do(tmp_path: Path, named: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load_web_app(project(tmp_path, f"./app_of_a_test.py:{named}"), timeout=1)
    assert f"http.app (./app_of_a_test.py:{named})" in refusal.value.detail
    assert said in refusal.value.detail
