"""What JSON and our types allow and a database can't hold: NUL in text, instants at time's ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

# Where the value is that is wrong, such as `.visit.window_from` or `[3].received_at`.
Find = Callable[[Any], str | None]

# In every time zone, and a day further, such an instant is a date that Python has.
FIRST_YEAR, LAST_YEAR = 2, 9998


def out_of_range(value: Any, type_: Any) -> str | None:
    """The path of the first instant in a decoded `value` of `type_` that no clock shows."""
    find = _finder(type_)
    return find(value) if find else None


def nul(raw: bytes) -> str | None:
    """The path of the first text in this JSON that holds a NUL, which no text column takes.

    Raises msgspec.DecodeError, UnicodeDecodeError.
    """
    if b"\\u0000" not in raw and b"\x00" not in raw:
        return None
    return next(_nuls(msgspec.json.decode(raw), ""), None)


def _nuls(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str) and "\x00" in value:
        yield path
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if "\x00" in name:
                yield path
            yield from _nuls(each, f"{path}.{name}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for i, each in enumerate(value):
            yield from _nuls(each, f"{path}[{i}]")


@cache
def _finder(type_: Any) -> Find | None:
    """Looks only where instants can be; None if nowhere."""
    return _of(inspect.type_info(type_))


def _of(shape: inspect.Type) -> Find | None:
    match shape:
        case inspect.Metadata():
            return _of(shape.type)
        case inspect.DateTimeType():
            return lambda at: None if FIRST_YEAR <= at.year <= LAST_YEAR else ""
        case inspect.UnionType():
            # Of an optional value the one kind that it has; no struct of ours has two.
            found = [find for each in shape.types if (find := _of(each)) is not None]
            return _optional(found[0]) if found else None
        case inspect.CollectionType() | inspect.VarTupleType():
            return _each(_of(shape.item_type))
        case inspect.StructType():
            return _struct([(f.name, f.encode_name, _of(f.type)) for f in shape.fields])
    return None


def _optional(find: Find) -> Find:
    return lambda value: None if value is None else find(value)


def _each(find: Find | None) -> Find | None:
    if find is None:
        return None

    def look(values: Sequence[Any]) -> str | None:
        for i, value in enumerate(values):
            if (path := find(value)) is not None:
                return f"[{i}]{path}"
        return None

    return look


def _struct(fields: Sequence[tuple[str, str, Find | None]]) -> Find | None:
    looked = [(name, shown, find) for name, shown, find in fields if find is not None]
    if not looked:
        return None

    def look(struct: Any) -> str | None:
        for name, shown, find in looked:
            if (path := find(getattr(struct, name))) is not None:
                return f".{shown}{path}"
        return None

    return look
