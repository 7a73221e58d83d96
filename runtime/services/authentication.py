"""From the project and the settings to whoever finds out who makes a request."""

from __future__ import annotations

from runyard.runtime.auth.api_keys import ApiKeys
from runyard.runtime.auth.custom import CustomAuthentication
from runyard.runtime.auth.kept_users import KeptUsers
from runyard.runtime.auth.requests import Authenticator
from runyard.runtime.config.project import Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.graphs.loading import load_object, prepare_process


def load_authenticator(settings: Settings) -> Authenticator | None:
    """None: nobody has to say who they are. The project's code is imported, so call it where no event loop runs.

    Raises ConfigError.
    """
    if settings.has_keys:
        return ApiKeys(settings.api_keys, settings.api_keys_file)
    return load_custom(settings.project, timeout=settings.auth_timeout)


def load_custom(project: Project, *, timeout: float) -> CustomAuthentication | None:
    """By the project's own code, which gets `timeout` seconds for each request; None where it names none. See
    `load_authenticator`."""
    if project.auth is None:
        return None
    place = f"{project.path}: auth ({project.auth.path})"
    prepare_process(project)
    auth = load_object(project, project.auth.path, place)
    cache = project.auth.cache
    return CustomAuthentication(
        auth,
        place,
        timeout=timeout,
        refuse_studio=not project.auth.disable_studio_auth,
        kept=None if cache is None else KeptUsers(cache.headers, seconds=cache.seconds, most=cache.most),
    )
