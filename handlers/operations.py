"""Which function serves which operation of the document. A test compares the two."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runyard.handlers.assistants import AssistantHandlers
from runyard.handlers.console.pages import Pages
from runyard.handlers.runs import RunHandlers
from runyard.handlers.system import SystemHandlers
from runyard.handlers.thread_runs import ThreadRunHandlers
from runyard.handlers.threads import ThreadHandlers

if TYPE_CHECKING:
    from runyard.runtime.runtime import Runtime

Handler = Callable[..., Any]


def operation_table(runtime: Runtime) -> dict[str, Handler]:
    """The handler of each operationId. `async def` runs on the event loop, `def` in Flask."""
    system = SystemHandlers(runtime)
    pages = Pages(runtime)
    assistants = AssistantHandlers(runtime.assistants)
    threads = ThreadHandlers(runtime.threads)
    runs = RunHandlers(runtime.runs)
    thread_runs = ThreadRunHandlers(runtime.runs)
    return {
        "root_get": pages.root,
        "docs_get": pages.docs,
        "health_check_ok_get": system.health,
        "server_info_info_get": system.info,
        "system_metrics_metrics_get": system.metrics,
        "openapi_json_get": system.openapi,
        "search_assistants_assistants_search_post": assistants.search,
        "get_assistant_assistants__assistant_id__get": assistants.get,
        "search_threads_threads_search_post": threads.search,
        "count_threads_threads_count_post": threads.count,
        "get_thread_threads__thread_id__get": threads.get,
        "get_latest_thread_state_threads__thread_id__state_get": threads.state,
        "run_stateless_runs_post": runs.create,
        "run_batch_stateless_runs_post": runs.create_batch,
        "wait_run_stateless_runs_wait_post": runs.wait,
        "stream_run_stateless_runs_stream_post": runs.stream,
        "list_runs_http_threads__thread_id__runs_get": thread_runs.list,
        "get_run_http_threads__thread_id__runs__run_id__get": thread_runs.get,
        "join_run_http_threads__thread_id__runs__run_id__join_get": thread_runs.join,
        "stream_run_http_threads__thread_id__runs__run_id__join_get": thread_runs.stream,
        "cancel_run_http_threads__thread_id__runs__run_id__cancel_post": thread_runs.cancel,
        "cancel_runs_post": thread_runs.cancel_many,
    }
