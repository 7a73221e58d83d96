"""Moving all that is kept from one backend into another, behind `runyard import`.

An import can be ended at any moment, however it is ended: given again, it goes on where it is. For each table the
greatest key that is in the target says where that is. What was begun is noted in the target, with a tally of the
source: so it is noticed when the source is another one, or has changed since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import orjson

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.ends import make_ends
from runyard.runtime.storage.moved_tables import MOVED
from runyard.runtime.storage.nul_characters import without_nul
from runyard.runtime.storage.port.moving import Columns, Kind, Nul, Row, Source, Tally, Target

PAGE_ROWS, PAGE_BYTES = 2_000, 4 * 2**20
"""What is written in one transaction: so many rows, or rows with so many bytes of texts and payloads."""
CLOSE = 1_000_000
"""Microseconds by which clocks may differ and still count as the same."""
NAMED = 20
"""NUL characters whose places are named."""

Progress = Callable[[str, int, int], None]
"""Is told the table that is moved, how many rows are moved in all, and how many there are."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A table at the end: what the source holds of it, and the target."""

    table: str
    source: Tally
    target: Tally


@dataclass(frozen=True, slots=True)
class Imported:
    """source, target: for people. given_back: runs that were running and went back to the queue, or ended since that
    had been asked for. replaced: the tables in which NUL characters were replaced."""

    source: str
    target: str
    tables: list[Moved]
    given_back: int
    replaced: list[str]


@dataclass(frozen=True, slots=True)
class _Note:
    """What an import notes in its target.

    shift: what is added to times of the queue. verified: all rows are there, and were compared.
    """

    source: str
    tallies: dict[str, Tally]
    shift: int
    replaced: list[str]
    verified: bool = False

    def dump(self) -> str:
        return orjson.dumps(self).decode()

    @classmethod
    def load(cls, text: str) -> _Note:
        found = orjson.loads(text)
        return cls(**{**found, "tallies": {table: Tally(**tally) for table, tally in found["tallies"].items()}})


def import_all(
    source: str,
    target: str,
    *,
    schema: str | None = None,
    restart: bool = False,
    replace_nul: bool = False,
    progress: Progress,
) -> Imported:
    """Moves everything from `source` into `target`: one is a data directory, the other a connection string of
    Postgres, and `schema` a schema of that.

    restart: an import that was begun is undone first. replace_nul: NUL characters, which Postgres cannot hold, become
    U+FFFD; else they are refused. Raises ConfigError for what cannot be moved, or not there, with what is to be done;
    Unavailable when the import can be given again.
    """
    from_, to = make_ends(source, target, schema)
    try:
        from_.open()
        return _Import(from_, to, progress, replace_nul=replace_nul).run(restart=restart)
    finally:
        from_.close()
        to.close()


class _Import:
    def __init__(self, source: Source, target: Target, progress: Progress, *, replace_nul: bool) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._replace_nul = replace_nul
        self._columns: dict[str, Columns] = {}

    def run(self, *, restart: bool) -> Imported:
        noted = self._target.open(restart=restart)
        self._columns = {table: self._columns_of(table) for table in MOVED}
        tallies = {table: self._source.tally(table, columns) for table, columns in self._columns.items()}
        if noted is None:
            note = self._begin(tallies)
        else:
            note = _Note.load(noted)
            if note.tallies != tallies:
                raise ConfigError(
                    f"{self._target}: an import from {note.source} was begun; {self._source} is another source, or has "
                    "changed since. Give --restart to begin anew"
                )
        if not note.verified:
            self._move(note)
        moved = [Moved(table, tallies[table], self._tally(table)) for table in MOVED]
        if not note.verified:
            _compare(moved, note)
            note = _Note(note.source, note.tallies, note.shift, note.replaced, verified=True)
            self._target.note(note.dump())
        self._target.number_on(self._source.sequences())
        given_back = asyncio.run(self._give_back())
        self._target.finish()
        return Imported(str(self._source), str(self._target), moved, given_back, note.replaced)

    def _columns_of(self, table: str) -> Columns:
        """The same at both ends; of what is said of a column, what says more."""
        source, target = self._source.columns(table), self._target.columns(table)
        if source.keys() != target.keys():
            names = ", ".join(sorted(source.keys() ^ target.keys()))
            raise ConfigError(f"{table}: only one side has {names}; bring both to the same version of Runyard")
        return {name: _narrower(kind, target[name]) for name, kind in source.items()}

    def _tally(self, table: str) -> Tally:
        return self._target.tally(table, self._columns[table])

    def _begin(self, tallies: dict[str, Tally]) -> _Note:
        nuls: list[Nul] = []
        if self._source.holds_nul and not self._target.holds_nul:
            nuls = [nul for table, columns in self._columns.items() for nul in self._source.nuls(table, columns)]
        refused = nuls if not self._replace_nul else [nul for nul in nuls if nul.in_key]
        if refused:
            raise ConfigError(_refusal(refused, replaceable=not self._replace_nul))
        shift = self._target.clock() - self._source.clock()
        note = _Note(
            str(self._source), tallies, shift if abs(shift) > CLOSE else 0, sorted({nul.table for nul in nuls})
        )
        self._target.note(note.dump())
        return note

    def _move(self, note: _Note) -> None:
        total = sum(tally.rows for tally in note.tallies.values())
        done = 0
        for table, columns in self._columns.items():
            last = self._target.last(table)
            if last is not None:
                done += self._target.tally(table, {}).rows
            self._progress(table, done, total)
            if not note.tallies[table].rows:
                continue
            rows: Iterable[Row] = self._source.rows(table, columns, last, note.shift)
            if table in note.replaced:
                rows = _without_nul(rows, columns)
            for page in _pages(rows, columns):
                self._target.write(table, columns, page)
                done += len(page)
                self._progress(table, done, total)

    async def _give_back(self) -> int:
        given_back = 0
        with self._target.workers() as workers:
            for known in await workers.known():
                reaped = await workers.reap(known.worker, max_attempts=1, crashed=False)
                given_back += reaped.requeued + reaped.solo + len(reaped.ended)
        return given_back


def _narrower(one: Kind, other: Kind) -> Kind:
    if one == other:
        return one
    assert {one, other} in ({"text", "json"}, {"int", "flag"}), f"{one} and {other}"
    return "json" if "json" in (one, other) else "flag"


def _pages(rows: Iterable[Row], columns: Columns) -> Iterator[list[Row]]:
    """The rows in what is written at once."""
    long = [place for place, kind in enumerate(columns.values()) if kind in ("text", "json", "bytes")]
    page: list[Row] = []
    size = 0
    for row in rows:
        page.append(row)
        for place in long:
            if row[place] is not None:
                size += len(row[place])
        if len(page) >= PAGE_ROWS or size >= PAGE_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page


def _without_nul(rows: Iterable[Row], columns: Columns) -> Iterator[Row]:
    kinds = list(columns.values())
    for row in rows:
        yield tuple(without_nul(value, kind) for value, kind in zip(row, kinds, strict=True))


def _compare(moved: Iterable[Moved], note: _Note) -> None:
    """Raises ConfigError when not everything is there. What a replaced character takes is no longer compared."""
    wrong = [
        f"{each.table}: {each.source} in the source, {each.target} in the target"
        for each in moved
        if (each.source.rows, each.source.numbers) != (each.target.rows, each.target.numbers)
        or (each.source.bytes != each.target.bytes and each.table not in note.replaced)
    ]
    if wrong:
        raise ConfigError(f"not all was moved, or something else wrote to the target: {'; '.join(wrong)}")


def _refusal(nuls: list[Nul], *, replaceable: bool) -> str:
    places = "\n  ".join(map(str, nuls[:NAMED]))
    more = f"\n  and {len(nuls) - NAMED} more" if len(nuls) > NAMED else ""
    remedy = (
        "give --replace-nul to have them replaced by U+FFFD, or change them in the source"
        if replaceable
        else "what names a row cannot be replaced: remove those rows in the source"
    )
    return f"Postgres cannot hold NUL characters, and there are {len(nuls)}:\n  {places}{more}\n{remedy}"
