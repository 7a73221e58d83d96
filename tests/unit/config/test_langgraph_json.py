"""langgraph.json: what is understood, and what is said about what is not."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.project import (
    AppSection,
    AuthCache,
    AuthSection,
    CorsPolicy,
    GraphSpec,
    HeaderFilter,
    StoreTtl,
    UiSection,
    WebhookPolicy,
)
from runyard.runtime.errors import ConfigError

from .project_file import write


def test_everything_that_a_project_may_say_is_read(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    file = write(
        tmp_path,
        dependencies=["./src", ".", "orjson"],
        graphs={"a": "./a.py:graph", "b": {"path": "package.module:make", "description": "Makes b."}},
        env={"ONE": "1", "TWO": 2, "YES": True, "HALF": 0.5},
        webhooks={"url": {"require_https": False}},
        http={"cors": {"allow_origins": ["https://x.example"], "allow_credentials": True, "max_age": 5}},
    )
    project = load_project(file, environment={})
    assert project.graphs == {
        "a": GraphSpec(graph_id="a", path="./a.py:graph", description=None),
        "b": GraphSpec(graph_id="b", path="package.module:make", description="Makes b."),
    }
    assert project.import_paths == (tmp_path / "src", tmp_path)
    assert project.env == {"ONE": "1", "TWO": "2", "YES": "true", "HALF": "0.5"}
    assert project.webhooks == WebhookPolicy(require_https=False, disable_loopback=True)
    assert project.cors == CorsPolicy(allow_origins=("https://x.example",), allow_credentials=True, max_age=5)
    assert load_project(tmp_path, environment={}) == project


def test_components_of_front_ends(tmp_path: Path) -> None:
    assert load_project(write(tmp_path), environment={}).ui is None
    file = write(tmp_path, ui={"g": "./src/../src/ui.tsx", "more": "ui.jsx"}, ui_config={"shared": ["date-fns"]})
    ui = load_project(file, environment={}).ui
    assert ui == UiSection(paths={"g": "src/ui.tsx", "more": "ui.jsx"}, shared=("date-fns",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"graphs": {}}, "graphs is missing or empty"),
        ({"ui": ["./ui.tsx"]}, "ui must be an object, not list"),
        ({"ui": {"g": 1}}, 'ui.g must be the path of a file, such as "./src/ui.tsx", not int'),
        ({"ui": {"g": "../ui.tsx"}}, "ui.g: ../ui.tsx is no file below the project's folder"),
        ({"ui": {"g": "."}}, "ui.g: . is no file below the project's folder"),
        ({"ui": {"../g": "./ui.tsx"}}, "ui.../g: names consist of letters"),
        ({"ui": {"a-b": "./ui.tsx", "a_b": "./ui.tsx"}}, "ui.a_b and ui.a-b would be one name in a page"),
        ({"ui": {"g": "./ui.tsx"}, "ui_config": {"shared": "react"}}, "ui_config.shared must be a list of strings"),
        ({"ui_config": {"share": []}}, "ui_config.share is not known; known is shared"),
        ({"graphs": []}, "graphs is missing or empty"),
        ({"graphs": ["./a.py:g"]}, "graphs must be an object, not list"),
        ({"graphs": {"g": "./a.py"}}, "graphs.g"),
        ({"graphs": {"g": "./a.py:not a name"}}, "graphs.g"),
        ({"graphs": {"g": {"description": "x"}}}, "graphs.g"),
        ({"graphs": {"g": {"path": "a:b", "description": 1}}}, "graphs.g.description"),
        ({"graphs": {"g": None}}, "graphs.g"),
        ({"dependencies": "."}, "dependencies must be a list"),
        ({"dependencies": ["./nowhere"]}, 'folder "./nowhere" does not exist'),
        ({"graphs": {"g": "./a.ts:graph"}}, "all are in JavaScript or TypeScript"),
        ({"env": {"A": {}}}, "env.A must be a string, a number, true or false"),
        ({"env": {"A": None}}, "env.A must be a string, a number, true or false"),
        ({"env": ["A=1"]}, "env must be an object"),
        ({"webhooks": {"url": {"require_https": "no"}}}, "webhooks.url.require_https must be true or false"),
        ({"webhooks": {"url": {"disable_loopback": None}}}, "webhooks.url.disable_loopback must be true or false"),
        ({"webhooks": {"url": {"allowed_domains": "x"}}}, "webhooks.url.allowed_domains must be a list of strings"),
        ({"webhooks": {"url": {"allowed_domains": ["https://x"]}}}, "webhooks.url.allowed_domains"),
        ({"webhooks": {"url": {"allowed_ports": [0]}}}, "webhooks.url.allowed_ports"),
        ({"webhooks": {"url": {"max_url_length": 0}}}, "webhooks.url.max_url_length"),
        ({"webhooks": {"url": {"frobnicate": 1}}}, "webhooks.url.frobnicate is not known"),
        ({"checkpointer": {"ttl": {"default_ttl": 0}}}, "checkpointer.ttl.default_ttl must be a number above 0"),
        ({"checkpointer": {"ttl": {"strategy": "forget"}}}, "checkpointer.ttl.strategy"),
        ({"checkpointer": {"ttl": {"sweep_interval_minutes": "5"}}}, "checkpointer.ttl.sweep_interval_minutes"),
        ({"checkpointer": {"ttl": {"sweep_limit": 0}}}, "checkpointer.ttl.sweep_limit"),
        ({"store": {"ttl": {"default_ttl": 0}}}, "store.ttl.default_ttl must be a number above 0"),
        ({"store": {"ttl": {"refresh_on_read": 1}}}, "store.ttl.refresh_on_read must be true or false"),
        ({"store": {"ttl": 5}}, "store.ttl must be an object"),
        ({"http": {"cors": {"allow_origins": "*"}}}, "http.cors.allow_origins must be a list of strings"),
        ({"http": {"cors": {"max_age": "1"}}}, "http.cors.max_age must be of type int"),
        ({"http": {"cors": {"origins": []}}}, "http.cors.origins is not known"),
        ({"http": {"disable_store": "yes"}}, "http.disable_store must be true or false"),
        ({"http": {"configurable_headers": {"include": "x-a"}}}, "http.configurable_headers.include must be a list"),
        ({"http": {"configurable_headers": {"only": []}}}, "http.configurable_headers.only is not known"),
        ({"http": {"logging_headers": []}}, "http.logging_headers must be an object"),
        ({"http": {"app": 1}}, "http.app must be a string, not int"),
        ({"http": {"app": "./app.py"}}, 'http.app: "./app.py" must be "./file.py:name"'),
        ({"http": {"app": "./app.ts:app"}}, "http.app: applications in JavaScript and TypeScript are not supported"),
        (
            {"http": {"app": "./a.py:app", "middleware_order": "last"}},
            "http.middleware_order must be one of middleware_",
        ),
        ({"http": {"enable_custom_route_auth": "yes"}}, "http.enable_custom_route_auth must be true or false"),
        ({"http": {"mount_prefix": "api"}}, 'http.mount_prefix: "api" must be a path'),
        ({"http": {"mount_prefix": "/a b"}}, "http.mount_prefix"),
        ({"http": {"mount_prefix": "//a"}}, "http.mount_prefix"),
        ({"auth": []}, "auth must be an object"),
        ({"auth": {"disable_studio_auth": True}}, 'auth.path must be "./file.py:name"'),
        ({"auth": {"path": "./auth.py"}}, 'auth.path must be "./file.py:name"'),
        ({"auth": {"path": "a:b", "disable_studio_auth": "yes"}}, "auth.disable_studio_auth must be true or false"),
        ({"auth": {"path": "a:b", "cache": {"ttl_seconds": 60}}}, "auth.cache.cache_keys must name the headers"),
        ({"auth": {"path": "a:b", "cache": {"cache_keys": [""]}}}, "auth.cache.cache_keys must name the headers"),
        (
            {"auth": {"path": "a:b", "cache": {"cache_keys": ["a"], "ttl_seconds": 0}}},
            "auth.cache.ttl_seconds must be a number above 0",
        ),
        (
            {"auth": {"path": "a:b", "cache": {"cache_keys": ["a"], "max_size": 0}}},
            "auth.cache.max_size must be a whole",
        ),
        ({"auth": {"path": "a:b", "openapi": {"components": {}}}}, "auth.openapi.components is not known"),
        ({"auth": {"path": "a:b", "openapi": {"securitySchemes": {"k": {}}}}}, "auth.openapi.securitySchemes.k.type"),
        ({"auth": {"path": "a:b", "openapi": {"security": [{"k": []}]}}}, "auth.openapi.security: there is no 'k'"),
        ({"auth": {"path": "a:b", "openapi": {"paths": {"/ok": {"get": {}}}}}}, "auth.openapi.paths./ok.get must be"),
        ({"encryption": {"path": "./e.py"}}, 'encryption.path must be "./file.py:name"'),
        ({"encryption": {"path": "e:e"}, "store": {"index": {"embed": "a:b", "dims": 2}}}, "store.index cannot be had"),
        ({"encryption": "./e.py:e"}, "encryption must be an object"),
        ({"checkpointer": {"serde": {"allowed_msgpack_modules": "a"}}}, "modules must be true, null, or a list"),
        ({"checkpointer": {"serde": {"allowed_msgpack_modules": ["a.B"]}}}, "modules must be a list of strings"),
        ({"checkpointer": {"serde": {"allowed_msgpack_modules": [["B"]]}}}, "a list of its module and its name"),
        (
            {"checkpointer": {"path": "./c.py:make"}},
            "checkpointer.path: checkpoints cannot be kept in a store",
        ),
        (
            {"checkpointer": {"backend": "mongo"}},
            "checkpointer.backend: checkpoints are kept in the server",
        ),
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
        ({"store": {"ttl": {"colour": 1}}}, "store.ttl.colour is ignored"),
        ({"checkpointer": {"mongo": {"uri": "mongodb://x"}}}, "checkpointer.mongo is ignored"),
        ({"priority": {"path": "./p.py:p"}}, "priority is ignored: no code is asked which runs go first"),
        ({"store": {"colour": 1}}, "store.colour is ignored: the key is not known"),
        ({"store": {"index": {"embed": "a:b", "dims": 3, "colour": 1}}}, "store.index.colour is ignored"),
        ({"auth": {"path": "a:b", "colour": 1}}, "auth.colour is ignored"),
        ({"graphs": {"g": {"path": "a:b", "colour": 1}}}, "graphs.g.colour is ignored"),
        ({"checkpointer": {"ttl": {"colour": 1}}}, "checkpointer.ttl.colour is ignored"),
        ({"graphs": {"g": "./a.py:graph", "js": "./src/agent.ts:graph"}}, "graphs.js is not served"),
        ({"env": "missing.env"}, "missing.env does not exist"),
        ({"python_version": "3.8"}, "python_version 3.8 is asked for, but Python 3"),
        ({"http": {"middleware_order": "auth_first"}}, "http.middleware_order has no effect: there is no http.app"),
        ({"http": {"enable_custom_route_auth": True}}, "http.enable_custom_route_auth has no effect"),
        ({"http": {"disable_everything": True}}, "http.disable_everything is ignored"),
        ({"webhooks": {"retries": 3}}, "webhooks.retries is ignored"),
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


def test_keys_for_images_are_no_news(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    keys = {"api_version": "0.5", "image_distro": "wolfi", "package_manager": "uv", "pip_config_file": "pip.conf"}
    load_project(write(tmp_path, python_version=running, dockerfile_lines=[], auth={}, node_version="20", **keys))
    assert caplog.text == ""


def test_whose_code_says_who_asks_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    openapi = {
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
        "security": [{"key": []}],
    }
    cache = {"cache_keys": ["Authorization", "x-team"], "ttl_seconds": 90, "max_size": 5}
    auth = {"path": "./auth.py:auth", "disable_studio_auth": True, "openapi": openapi, "cache": cache}
    project = load_project(write(tmp_path, auth=auth))
    kept = AuthCache(headers=("authorization", "x-team"), seconds=90, most=5)
    assert project.auth == AuthSection(path="./auth.py:auth", disable_studio_auth=True, openapi=openapi, cache=kept)
    assert not caplog.text
    assert load_project(write(tmp_path, auth={})).auth is None


def test_a_graph_in_javascript_leaves_the_others_alone(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, node_version="20", graphs={"py": "./a.py:graph", "js": "./a.mjs:graph"}))
    assert [*project.graphs] == ["py"]
    assert project.unserved == {"js": "graphs in JavaScript and TypeScript are not supported"}


def test_what_is_null_is_absent(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("env", "http", "webhooks", "checkpointer", "python_version"))
    assert load_project(write(tmp_path, **nothing)) == load_project(write(tmp_path))


def test_operations_that_are_taken_away(tmp_path: Path) -> None:
    http = {"disable_store": True, "disable_mcp": True, "disable_runs": False, "disable_webhooks": True}
    project = load_project(write(tmp_path, http=http))
    assert project.disabled == {"store", "mcp", "webhooks"}
    assert not project.webhooks.enabled


def test_the_projects_own_application(tmp_path: Path) -> None:
    http = {"app": "./app.py:app", "middleware_order": "auth_first", "enable_custom_route_auth": True}
    assert load_project(write(tmp_path, http=http)).app == AppSection(
        path="./app.py:app", auth_first=True, authenticates=True
    )
    assert load_project(write(tmp_path, http={"app": "my.app:app"})).app == AppSection(path="my.app:app")
    assert load_project(write(tmp_path, http={"app": None})).app is None


@pytest.mark.parametrize(("given", "prefix"), [("/api", "/api"), ("/a/v1/", "/a/v1"), ("/", ""), (None, "")])
def test_the_path_below_which_all_is_served(tmp_path: Path, given: str | None, prefix: str) -> None:
    assert load_project(write(tmp_path, http={"mount_prefix": given})).mount_prefix == prefix


def test_headers_for_runs_in_both_spellings(tmp_path: Path) -> None:
    for keys in (("includes", "excludes"), ("include", "exclude")):
        headers = dict(zip(keys, (["X-User-*"], ["x-user-key"]), strict=True))
        project = load_project(write(tmp_path, http={"configurable_headers": headers, "logging_headers": headers}))
        assert project.configurable_headers == HeaderFilter(includes=("x-user-*",), excludes=("x-user-key",))
        assert project.logging_headers == project.configurable_headers


def test_the_lifetime_of_items_of_the_store(tmp_path: Path) -> None:
    ttl = {"default_ttl": 90, "refresh_on_read": False, "sweep_interval_minutes": 0.5}
    project = load_project(write(tmp_path, store={"ttl": ttl}))
    assert project.store_ttl == StoreTtl(minutes=90, refresh_on_read=False, sweep_seconds=30)
    assert load_project(write(tmp_path, store={"ttl": {"refresh_on_read": None}})).store_ttl == StoreTtl()
