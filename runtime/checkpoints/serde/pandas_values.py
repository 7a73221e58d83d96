"""pandas' objects, column by column. pandas is imported only where a checkpoint holds some."""

from __future__ import annotations

from typing import Any

from runyard.runtime.checkpoints.serde.forms import UnsavableValue, type_name


def pandas_form(value: Any) -> tuple[str, Any]:
    """The form of a value and what it is made from. Raises UnsavableValue for subclasses, which may hold more."""
    import pandas

    cls = type(value)
    if value is pandas.NaT or value is pandas.NA:
        return "pandas missing", "NaT" if value is pandas.NaT else "NA"
    if cls is pandas.Timestamp:
        zone = None if value.tz is None else str(value.tz)
        return "timestamp", (value.as_unit("ns").value, zone, value.unit)
    if cls is pandas.Timedelta:
        return "timedelta", (value.as_unit("ns").value, value.unit)
    if cls is pandas.Series:
        return "series", (_column(value.array), value.index, value.name, dict(value.attrs))
    if cls is pandas.DataFrame:
        columns = [_column(value.iloc[:, position].array) for position in range(value.shape[1])]
        return "frame", (columns, value.columns, value.index, dict(value.attrs))
    if cls is pandas.RangeIndex:
        return "range index", (value.start, value.stop, value.step, value.name)
    if cls is pandas.MultiIndex:
        return "multi index", ([list(entry) for entry in value], list(value.names))
    if isinstance(value, pandas.Index):
        return "index", (_column(value.array), value.name)
    if isinstance(value, pandas.api.extensions.ExtensionArray):
        return "column", _column(value)
    raise UnsavableValue(type_name(cls))


def _column(array: Any) -> tuple[str, Any, Any]:
    """dtype, items, and what a categorical needs besides."""
    import pandas

    if isinstance(array, pandas.Categorical):
        return "category", array.codes, (array.categories, bool(array.ordered))
    kind = str(array.dtype)
    if type(array) is pandas.arrays.NumpyExtensionArray:
        return kind, array.to_numpy(), None
    if kind.startswith(("datetime64", "timedelta64")):
        return kind, array.asi8, None
    if kind.startswith(("period", "interval", "Sparse")):
        raise UnsavableValue(f"a column of pandas' dtype {kind}")
    return kind, [None if item is pandas.NA else item for item in array.tolist()], None


def made_column(kind: str, items: Any, more: Any) -> Any:
    import pandas

    if kind == "category":
        categories, ordered = more
        return pandas.Categorical.from_codes(items, categories=categories, ordered=ordered)
    if kind.startswith(("datetime64", "timedelta64")):
        if "," not in kind:
            return pandas.array(items.view(kind.replace("datetime64", "M8").replace("timedelta64", "m8")))
        unit = kind.partition("[")[2].partition(",")[0]
        return pandas.array(items.view(f"M8[{unit}]")).tz_localize("UTC").astype(kind)
    if isinstance(items, list):
        return pandas.array(items, dtype=kind)
    return items


def made_series(column: list[Any], index: Any, name: Any, attrs: dict[Any, Any]) -> Any:
    import pandas

    series = pandas.Series(made_column(*column), index=index, name=_label(name), copy=False)
    series.attrs = attrs
    return series


def made_frame(columns: list[list[Any]], labels: Any, index: Any, attrs: dict[Any, Any]) -> Any:
    import pandas

    parts = {position: pandas.Series(made_column(*column), index=index) for position, column in enumerate(columns)}
    frame = pandas.DataFrame(parts, index=index)
    frame.columns = labels
    frame.attrs = attrs
    return frame


def made_index(column: list[Any], name: Any) -> Any:
    import pandas

    return pandas.Index(made_column(*column), name=_label(name))


def made_range_index(start: int, stop: int, step: int, name: Any) -> Any:
    import pandas

    return pandas.RangeIndex(start, stop, step, name=_label(name))


def made_multi_index(entries: list[list[Any]], names: list[Any]) -> Any:
    import pandas

    return pandas.MultiIndex.from_tuples([tuple(entry) for entry in entries], names=[_label(name) for name in names])


def made_timestamp(nanoseconds: int, zone: str | None, unit: str) -> Any:
    import pandas

    stamp = pandas.Timestamp(nanoseconds, unit="ns").as_unit(unit)
    return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(zone)


def made_timedelta(nanoseconds: int, unit: str) -> Any:
    import pandas

    return pandas.Timedelta(nanoseconds, unit="ns").as_unit(unit)


def made_missing(name: str) -> Any:
    import pandas

    return pandas.NaT if name == "NaT" else pandas.NA


def _label(name: Any) -> Any:
    return tuple(name) if isinstance(name, list) else name
