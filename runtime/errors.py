"""The errors that the runtime raises on purpose.

    RunyardError
    +-- BadRequest    the request is well-formed but contradicts itself          400
    +-- Forbidden     the caller may not make this change                        403
    +-- NotFound      the thing named does not exist                             404
    +-- Conflict      the thing exists, but its state forbids the change         409
    |   +-- KeyTaken         the request's idempotency key is in use              409, with Retry-After
    |   +-- StateChanged     the edited state is not the latest any more          409
    +-- Invalid       a value is not acceptable; the detail names its place      422
    +-- Unavailable   the server cannot do it now (stopping, storage away)       503
    |   +-- GraphNotLoaded   importing the graph failed when the server started
    +-- EncryptionFailed  a handler of the project's encryption failed           503
    +-- NotSupported  the installed LangGraph is too old for it                  501
    +-- ConfigError   langgraph.json, a graph or a setting is broken; ends the command line
    +-- LeaseLost     a worker's claim on a run no longer holds; never leaves the worker

The status codes stand in one table, `runyard.handlers.http.errors`. Anything else that is raised is a defect:
it is logged and answered with 500.
"""


class RunyardError(Exception):
    """Base of all errors raised on purpose. `detail` is written for the caller: place and remedy. `retry_after` is in
    how many seconds the same request may well succeed; None where that cannot be said."""

    retry_after: int | None = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class BadRequest(RunyardError):
    """The request is well-formed but contradicts itself."""


class Forbidden(RunyardError):
    """The caller may not make this change; the detail names its place."""


class NotFound(RunyardError):
    """The thing named does not exist (any more)."""


class Conflict(RunyardError):
    """The thing exists, but its present state forbids the change."""


class KeyTaken(Conflict):
    """A request with the same idempotency key is under way; sent again a little later, this one gets its answer."""

    retry_after = 1


class StateChanged(Conflict):
    """The state of a thread is no longer the one that an edit was made from; made anew, it may well succeed."""


class AssistantChanged(Conflict):
    """The assistant of a new run is no longer the one that the run was made from; made anew, it may well succeed."""


class Invalid(RunyardError):
    """A value is not acceptable; the detail names its JSON path."""


class Unavailable(RunyardError):
    """The server cannot do this now; trying again later may help."""


class StorageUnavailable(Unavailable):
    """The database cannot be had, or refuses what it would take at other times; nothing was changed."""


class Unanswered(StorageUnavailable):
    """The database was lost while it was to keep a change: nobody knows whether it has."""


class GraphNotLoaded(Unavailable):
    """Importing the graph failed when the server started; the detail says how, and the remedy."""


class EncryptionFailed(RunyardError):
    """A handler of the project's encryption has failed; the detail names it, and nothing of what it was given. What is
    stored stays as it is."""


class NotSupported(RunyardError):
    """The installed version of LangGraph lacks what this needs; the detail names the version that has it."""


class ConfigError(RunyardError):
    """A configuration file, graph or setting is broken; the detail names the file and the remedy."""


class LeaseLost(RunyardError):
    """A worker's claim on a run no longer holds; nothing more may be written for the run."""
