"""The settings: where they come from, and what is said about what cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.project import AuthSection, Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError


@pytest.fixture
def project(tmp_path: Path) -> Project:
    content = {"graphs": {"g": "./g.py:graph"}, "env": {"RUNYARD_PORT": "9001", "RUNYARD_HOST": "127.0.0.3"}}
    (tmp_path / "langgraph.json").write_text(json.dumps(content))
    return load_project(tmp_path)


def test_settings_come_from_flags_then_environment_then_project_then_defaults(project: Project) -> None:
    settings = Settings.from_environment(
        project,
        environment={"RUNYARD_HOST": "127.0.0.2", "RUNYARD_WORKERS": "3", "RUNYARD_SYNC": "full", "OTHER": "1"},
        workers=0,
        concurrency=None,
    )
    assert (settings.workers, settings.host, settings.port) == (0, "127.0.0.2", 9001)
    assert (settings.sync, settings.concurrency, settings.data_dir) == ("full", 256, Path(".runyard"))
    assert settings.project is project


def test_an_empty_variable_of_the_process_says_nothing(project: Project) -> None:
    assert Settings.from_environment(project, environment={"RUNYARD_PORT": ""}).port == 9001


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RUNYARD_PORT", "http", 'RUNYARD_PORT: "http" is not a whole number from 0 to 65535'),
        ("RUNYARD_PORT", "70000", "RUNYARD_PORT: 70000"),
        ("RUNYARD_CONCURRENCY", "0", "RUNYARD_CONCURRENCY"),
        ("RUNYARD_LEASE_SECONDS", "nan", "RUNYARD_LEASE_SECONDS"),
        ("RUNYARD_SYNC", "off", "normal, full"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(project: Project, variable: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        Settings.from_environment(project, environment={variable: value})
    assert said in error.value.detail


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "agent.example", "1270.0.0.1", ""])
def test_an_address_for_others_needs_a_word_of_its_own(project: Project, host: str) -> None:
    with pytest.raises(ConfigError, match="allow-unauthenticated"):
        Settings.from_environment(project, environment={}, host=host)
    for word in ({"RUNYARD_ALLOW_UNAUTHENTICATED": "true"}, {"RUNYARD_API_KEYS": "k"}, {"RUNYARD_API_KEYS_FILE": "f"}):
        assert Settings.from_environment(project, environment=word, host=host).host == host
    own = replace(project, auth=AuthSection(path="a:b"))
    assert Settings.from_environment(own, environment={}, host=host).host == host


def test_keys_are_secrets_that_only_the_api_has(project: Project) -> None:
    environment = {"RUNYARD_API_KEYS": "one-hidden, two:hidden", "RUNYARD_API_KEYS_FILE": "~/keys"}
    settings = Settings.from_environment(project, environment=environment)
    assert settings.api_keys == ("one-hidden", "two:hidden")
    assert settings.api_keys_file == Path("~/keys").expanduser()
    assert "hidden" not in repr(settings)
    assert not settings.without_keys().authenticates


@pytest.mark.parametrize("blank", ["", " ", ","])
def test_keys_that_are_asked_for_and_not_given_are_a_mistake(project: Project, blank: str) -> None:
    with pytest.raises(ConfigError, match="RUNYARD_API_KEYS names no key"):
        Settings.from_environment(project, environment={"RUNYARD_API_KEYS": blank})


def test_only_one_says_who_makes_a_request(project: Project) -> None:
    own = replace(project, auth=AuthSection(path="a:b"))
    for variable in ("RUNYARD_API_KEYS", "RUNYARD_API_KEYS_FILE"):
        with pytest.raises(ConfigError, match="auth says who makes a request, and so do API keys") as caught:
            Settings.from_environment(own, environment={variable: "secret"})
        assert "secret" not in caught.value.detail


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_an_address_of_this_machine_needs_none(project: Project, host: str) -> None:
    assert Settings.from_environment(project, environment={}, host=host).host == host


def test_lists_are_given_by_repeating_or_with_commas(project: Project) -> None:
    given = Settings.from_environment(
        project,
        environment={"RUNYARD_ALLOW_ORIGIN": "https://a.example, https://b.example,"},
        allowed_hosts=("a.example", "b.example,c.example"),
    )
    assert given.allow_origin == ("https://a.example", "https://b.example")
    assert given.allowed_hosts == ("a.example", "b.example", "c.example")
    assert Settings.from_environment(project, environment={}, allow_origin=()).allow_origin == ()


def test_a_bad_flag_is_named_as_a_flag(project: Project) -> None:
    with pytest.raises(ConfigError, match="--body-limit"):
        Settings.from_environment(project, environment={}, body_limit="many")


def test_an_override_that_does_not_exist_is_a_defect(project: Project) -> None:
    with pytest.raises(TypeError, match="colour"):
        Settings.from_environment(project, environment={}, colour="red")


URL = "postgresql://user:hidden@host/name"


def test_the_database_comes_from_its_own_setting_or_else_from_the_address_that_the_official_image_has(
    project: Project,
) -> None:
    def database(**environment: str) -> str | None:
        return Settings.from_environment(project, environment=environment).database

    assert database() is None
    assert database(DATABASE_URI=URL) == URL
    assert database(DATABASE_URI="postgresql://other/name", RUNYARD_DATABASE=URL) == URL
    assert database(RUNYARD_DATABASE="host=/run/postgresql dbname=name") == "host=/run/postgresql dbname=name"
    assert database(DATABASE_URI=URL, RUNYARD_DATABASE="sqlite") is None


@pytest.mark.parametrize("uri", ["mysql://host/name", "sqlite:///file.db", "postgresql+asyncpg://host/name", ""])
def test_an_address_of_another_kind_is_the_projects_own_business(project: Project, uri: str) -> None:
    assert Settings.from_environment(project, environment={"DATABASE_URI": uri}).database is None
    own = replace(project, env={"DATABASE_URI": URL})
    assert Settings.from_environment(own, environment={}).database is None


def test_what_is_no_database_is_refused_and_not_repeated(project: Project) -> None:
    for given in ("mysql://user:hidden@host/name", "hidden"):
        with pytest.raises(ConfigError, match="RUNYARD_DATABASE is neither") as error:
            Settings.from_environment(project, environment={"RUNYARD_DATABASE": given})
        assert "hidden" not in error.value.detail
    assert "hidden" not in repr(Settings.from_environment(project, environment={"RUNYARD_DATABASE": URL}))


def test_the_word_for_a_file_wins_over_all_that_the_environment_says_of_a_database(project: Project) -> None:
    said = {"RUNYARD_DATABASE": URL, "RUNYARD_DATABASE_DIRECT": URL, "RUNYARD_DATABASE_SCHEMA": "agents"}
    settings = Settings.from_environment(project, environment=said, database="sqlite")
    assert (settings.database, settings.database_direct, settings.database_schema) == (None, None, None)
    with pytest.raises(ConfigError, match="--database-schema"):
        Settings.from_environment(project, environment=said, database="sqlite", database_schema="agents")


def test_the_address_beside_a_pooler_is_a_secret_and_that_of_a_postgres(project: Project) -> None:
    said = {"RUNYARD_DATABASE": "postgresql://pooler/name", "RUNYARD_DATABASE_DIRECT": URL}
    settings = Settings.from_environment(project, environment=said)
    assert settings.database_direct == URL
    assert "hidden" not in repr(settings)
    with pytest.raises(ConfigError, match="RUNYARD_DATABASE_DIRECT is neither"):
        Settings.from_environment(project, environment={**said, "RUNYARD_DATABASE_DIRECT": "hidden"})
    with pytest.raises(ConfigError, match="RUNYARD_DATABASE_DIRECT goes with a --database"):
        Settings.from_environment(project, environment={"RUNYARD_DATABASE_DIRECT": URL})


def test_what_only_servers_on_a_database_have_needs_one(project: Project) -> None:
    for role in ("api", "worker"):
        with pytest.raises(ConfigError, match=f"--role {role}: .*--database"):
            Settings.from_environment(project, environment={}, role=role)
        with pytest.raises(ConfigError, match="--reload"):
            Settings.from_environment(project, environment={}, role=role, database=URL, reload=True)
    with pytest.raises(ConfigError, match="--database-schema"):
        Settings.from_environment(project, environment={"RUNYARD_DATABASE_SCHEMA": "agents"})
    with pytest.raises(ConfigError, match="all, api, worker"):
        Settings.from_environment(project, environment={"RUNYARD_ROLE": "both"}, database=URL)


def test_an_api_has_no_workers_however_many_are_asked_for(project: Project) -> None:
    api = Settings.from_environment(project, environment={"RUNYARD_WORKERS": "0"}, database=URL, role="api")
    assert (api.worker_processes, api.works_here) == (0, False)
    worker = Settings.from_environment(project, environment={"RUNYARD_WORKERS": "3"}, database=URL, role="worker")
    assert (worker.worker_processes, worker.works_here) == (3, False)
