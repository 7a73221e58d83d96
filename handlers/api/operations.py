"""Which function serves which operation of the document. A test compares the two."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from runyard.handlers.api.assistants import AssistantHandlers, AssistantService
from runyard.handlers.api.stateless_runs import StatelessRunHandlers, StatelessRunService
from runyard.handlers.api.system import MetricsReader, SystemHandlers, SystemService
from runyard.handlers.api.thread_runs import ThreadRunHandlers, ThreadRunService
from runyard.handlers.api.thread_states import ThreadStateHandlers, ThreadStateService
from runyard.handlers.api.threads import ThreadHandlers, ThreadService, ThreadStreamService
from runyard.handlers.console.pages import Pages

if TYPE_CHECKING:
    from runyard.runtime.config.settings import Settings

Handler = Callable[..., Any]


class RunService(StatelessRunService, ThreadRunService, ThreadStreamService, Protocol):
    """What all operations that concern runs need of the one service."""


class Services(Protocol):
    """What the operations need of the runtime."""

    @property
    def settings(self) -> Settings:
        """How the server was configured."""

    @property
    def system(self) -> SystemService:
        """The server itself."""

    @property
    def metrics(self) -> MetricsReader:
        """What is measured."""

    @property
    def assistants(self) -> AssistantService:
        """Configured graphs."""

    @property
    def threads(self) -> ThreadService:
        """Conversations."""

    @property
    def thread_states(self) -> ThreadStateService:
        """The states of conversations."""

    @property
    def runs(self) -> RunService:
        """Runs, with a thread of the client's or of their own."""


def operation_table(services: Services) -> dict[str, Handler]:
    """The handler of each operationId. `async def` runs on the event loop, `def` in Flask."""
    project = services.settings.project
    system = SystemHandlers(services.system, services.metrics, project.disabled)
    pages = Pages(services.system, lambda: services.settings.project.graphs, landing="meta" not in project.disabled)
    assistants = AssistantHandlers(services.assistants)
    threads = ThreadHandlers(services.threads, services.runs)
    states = ThreadStateHandlers(services.thread_states)
    runs = StatelessRunHandlers(services.runs)
    thread_runs = ThreadRunHandlers(services.runs)
    return {
        # System
        "root_get": pages.root,
        "docs_get": pages.docs,
        "guides_get": pages.guides,
        "guide_get": pages.guide,
        "health_check_ok_get": system.health,
        "server_info_info_get": system.info,
        "system_metrics_metrics_get": system.metrics,
        "openapi_json_get": system.openapi,
        # Assistants
        "create_assistant_assistants_post": assistants.create,
        "search_assistants_assistants_search_post": assistants.search,
        "count_assistants_assistants_count_post": assistants.count,
        "get_assistant_assistants__assistant_id__get": assistants.get,
        "patch_assistant_assistants__assistant_id__patch": assistants.patch,
        "delete_assistant_assistants__assistant_id__delete": assistants.delete,
        "get_assistant_graph_assistants__assistant_id__graph_get": assistants.graph,
        "get_assistant_subgraphs_assistants__assistant_id__subgraphs_get": assistants.subgraphs,
        "get_assistant_subgraphs_assistants__assistant_id__subgraphs__namespace__get": assistants.subgraphs_in,
        "get_assistant_schemas_assistants__assistant_id__schemas_get": assistants.schemas,
        "get_assistant_versions_assistants__assistant_id__versions_get": assistants.versions,
        "set_latest_assistant_version_assistants__assistant_id__versions_post": assistants.set_latest,
        # Threads
        "create_thread_threads_post": threads.create,
        "search_threads_threads_search_post": threads.search,
        "count_threads_threads_count_post": threads.count,
        "prune_threads_threads_prune_post": threads.prune,
        "get_thread_threads__thread_id__get": threads.get,
        "patch_thread_threads__thread_id__patch": threads.patch,
        "delete_thread_threads__thread_id__delete": threads.delete,
        "copy_thread_post_threads__thread_id__copy_post": threads.copy,
        "get_thread_storage_threads__thread_id__storage_get": threads.storage,
        "join_thread_stream_threads__thread_id__stream_get": threads.stream,
        # Their states
        "get_latest_thread_state_threads__thread_id__state_get": states.get,
        "update_thread_state_threads__thread_id__state_post": states.update,
        "get_thread_state_at_checkpoint_threads__thread_id__state__checkpoint_id__get": states.get_at,
        "post_thread_state_at_checkpoint_threads__thread_id__state__checkpoint_id__get": states.post_at,
        "get_thread_history_threads__thread_id__history_get": states.history,
        "get_thread_history_post_threads__thread_id__history_post": states.search,
        # Thread Runs
        "create_run_threads__thread_id__runs_post": thread_runs.create,
        "stream_run_threads__thread_id__runs_stream_post": thread_runs.create_and_stream,
        "wait_run_threads__thread_id__runs_wait_post": thread_runs.create_and_wait,
        "list_runs_http_threads__thread_id__runs_get": thread_runs.list_runs,
        "get_run_http_threads__thread_id__runs__run_id__get": thread_runs.get,
        "delete_run_threads__thread_id__runs__run_id__delete": thread_runs.delete,
        "join_run_http_threads__thread_id__runs__run_id__join_get": thread_runs.join,
        "stream_run_http_threads__thread_id__runs__run_id__join_get": thread_runs.stream,
        "cancel_run_http_threads__thread_id__runs__run_id__cancel_post": thread_runs.cancel,
        "cancel_runs_post": thread_runs.cancel_many,
        # Stateless Runs
        "run_stateless_runs_post": runs.create,
        "run_batch_stateless_runs_post": runs.create_batch,
        "wait_run_stateless_runs_wait_post": runs.wait,
        "stream_run_stateless_runs_stream_post": runs.stream,
        "find_run_runs__run_id__get": runs.find,
        "stream_run_runs__run_id__stream_get": runs.follow,
    }
