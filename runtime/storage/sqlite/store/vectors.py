"""sqlite-vec: how near vectors are to each other, as the SQL function `vec_distance_cosine`."""

from __future__ import annotations

import ctypes
import sqlite3
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from runyard.runtime.errors import ConfigError

MOST_DIMS: Final = 65_536
"""Numbers of a vector, which is a value of a column."""

_PACKAGE = "sqlite_vec"
_ENTRY = "sqlite3_vec_init"


def load_vectors(connection: sqlite3.Connection) -> None:
    """Has a new connection know the function. Raises ConfigError when the extension is not there, or does not go with
    the interpreter's SQLite."""
    try:
        if hasattr(connection, "enable_load_extension"):
            connection.enable_load_extension(True)
            try:
                connection.load_extension(str(_extension().with_suffix("")))
            finally:
                connection.enable_load_extension(False)
        connection.execute("select vec_distance_cosine('[1]', '[1]')")
    except (ModuleNotFoundError, sqlite3.Error) as error:
        raise ConfigError(
            f"store.index needs the SQLite extension of the package sqlite-vec, which cannot be loaded here ({error}); "
            "install it, or a Python whose sqlite3 can load extensions, or remove store.index"
        ) from error


def has_vectors() -> bool:
    """Whether connections can know the function."""
    offer_vectors()
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            load_vectors(connection)
    except ConfigError:
        return False
    return True


@cache
def offer_vectors() -> None:
    """Where Python was built without loading extensions, has SQLite give this one to each connection of the process
    from now on. What cannot be done is found out by `load_vectors`."""
    if hasattr(sqlite3.Connection, "enable_load_extension"):
        return
    import _sqlite3

    try:
        # Finds the functions of the SQLite that Python's module is linked to.
        library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
        library.sqlite3_auto_extension(getattr(ctypes.CDLL(str(_extension())), _ENTRY))
    except (ModuleNotFoundError, OSError, AttributeError):
        return


def _extension() -> Path:
    """Where it is. The package is not imported: it brings numpy in."""
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"{_PACKAGE} is not installed")
    for file in Path(found.origin).parent.glob("vec0.*"):
        return file
    raise ModuleNotFoundError(f"{_PACKAGE} has no extension for this machine")
