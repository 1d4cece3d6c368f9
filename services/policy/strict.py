"""Read plain values (from YAML or JSON) into frozen structs, refusing whatever is not declared.

A struct's annotations say what is allowed: `Literal` is a closed list, `frozenset[X]` a list
without repetition and not empty, `tuple[X, ...]` any list, `float` any finite number, `datetime` an
instant as `2026-05-12T11:59:59Z`, `date` a local date, `Annotated[..., Check]` something more,
`Annotated[..., ReadBy]` something else. A type with a class method `read(value, path)` reads
itself. Every refusal is an `Invalid`: where, what is wrong, and what would be right.
"""

import math
import re
import types
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

Path = tuple[str | int, ...]
T = TypeVar("T")
Word = TypeVar("Word", bound=str)
Reader = Callable[[object, Path], Any]

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Invalid(ValueError):
    """A value that may not be there: `path` leads to it, the text says what is wrong and what would
    be right.
    """

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(f"{dotted(path)}: {text}" if path else text)
        self.path = path
        self.text = text


class Check(msgspec.Struct, frozen=True):
    """A further condition on a value: `problem(value)` is None, or says what is wrong and what
    would be right.
    """

    problem: Callable[[Any], str | None]


class ReadBy(msgspec.Struct, frozen=True):
    """Another way to read the value than its type would say."""

    read: Callable[[object, Path], Any]


class Unquoted(str):
    """A scalar YAML would take for a date or a number of sixties because it stands without
    quotation marks.
    """

    __slots__ = ()


def dotted(path: Path) -> str:
    """`history[2].at`"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read(kind: type[T], value: object, path: Path = ()) -> T:
    """The value as a `kind`; raises Invalid."""
    found: T = _reader(kind)(value, path)  # type: ignore[arg-type]
    return found


def one_of(value: object, words: tuple[Word, ...], path: Path) -> Word:
    """The word itself; raises Invalid, naming the one that was probably meant."""
    for word in words:
        if word == value:
            return word
    raise Invalid(path, f"{shown(value)} is not allowed; use {_choice(value, words)}")


def shown(value: object) -> str:
    """A refused value as an error text may repeat it: short, and telling text from numbers."""
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(str(value)) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def known_keys(value: object, keys: tuple[str, ...], path: Path) -> Mapping[str, object]:
    """A map that has no other key than these."""
    if not isinstance(value, Mapping):
        raise Invalid(path, f"is {shown(value)}, must be a map")
    for key in value:
        if key not in keys:
            raise Invalid((*path, str(key)), f"unknown key; use {_choice(key, keys)}")
    return value


def _choice(value: object, words: tuple[str, ...]) -> str:
    near = get_close_matches(str(value), words, n=1)
    listed = ", ".join(words) if words else "nothing here"
    return f"{near[0]!r} (all that is allowed: {listed})" if near else f"one of: {listed}"


@cache
def _reader(kind: Any) -> Reader:
    if hasattr(kind, "read"):
        return kind.read  # type: ignore[no-any-return]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct_reader(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        way = next((a.read for a in arguments if isinstance(a, ReadBy)), None)
        checks = [a for a in arguments if isinstance(a, Check)]
        return _checked(way or _reader(arguments[0]), checks)
    if origin is Literal:
        return _literal_reader(arguments)
    if origin in (Union, types.UnionType) and datetime in arguments and date in arguments:
        return _read_instant_or_date
    if origin in (Union, types.UnionType):
        return _reader(next(a for a in arguments if a is not type(None)))
    if origin is frozenset:
        return _set_reader(_reader(arguments[0]))
    if origin is tuple:
        return _list_reader(_reader(arguments[0]))
    raise TypeError(f"no reader for {kind!r}")


def _struct_reader(kind: type[msgspec.Struct]) -> Reader:
    hints = get_type_hints(kind, include_extras=True)
    fields = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    # Field types are resolved on first use, so structs may mention each other.
    names, keys = {key: f.name for key, f in fields.items()}, tuple(fields)
    required = tuple(key for key, f in fields.items() if f.required)

    def read_struct(value: object, path: Path) -> Any:
        given = known_keys(value, keys, path)
        for key in required:
            if key not in given:
                raise Invalid((*path, key), "is required; add it")
        return kind(
            **{
                names[key]: _reader(hints[names[key]])(part, (*path, key))
                for key, part in given.items()
            }
        )

    return read_struct


def _literal_reader(words: tuple[Any, ...]) -> Reader:
    def read_literal(value: object, path: Path) -> Any:
        for word in words:
            if value == word and type(value) is type(word):
                return word
        if words == (True,):
            raise Invalid(path, f"is {shown(value)}, may only be true; leave it out otherwise")
        return one_of(value, words, path)

    return read_literal


def _list_reader(item: Reader) -> Reader:
    def read_list(value: object, path: Path) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise Invalid(path, f"is {shown(value)}, must be a list")
        return tuple(item(part, (*path, i)) for i, part in enumerate(value))

    return read_list


def _set_reader(item: Reader) -> Reader:
    read_list = _list_reader(item)

    def read_set(value: object, path: Path) -> frozenset[Any]:
        parts = read_list(value, path)
        if not parts:
            raise Invalid(path, "is empty; name at least one, or leave the key out")
        for i, part in enumerate(parts):
            if part in parts[:i]:
                raise Invalid((*path, i), f"{shown(part)} stands here twice; remove one")
        return frozenset(parts)

    return read_set


def _checked(reader: Reader, checks: list[Check]) -> Reader:
    if not checks:
        return reader

    def read_checked(value: object, path: Path) -> Any:
        found = reader(value, path)
        for check in checks:
            problem = check.problem(found)
            if problem is not None:
                raise Invalid(path, problem)
        return found

    return read_checked


def read_any_text(value: object, path: Path) -> str:
    return _text(value, path) if value != "" else ""


def _text(value: object, path: Path) -> str:
    if isinstance(value, Unquoted):
        raise Invalid(path, f"{value} must be quoted: '{value}'")
    if not isinstance(value, str):
        raise Invalid(path, f"is {shown(value)}, must be text")
    if not value:
        raise Invalid(path, "is empty text; give it, or leave the key out")
    return str(value)


def _whole(value: object, path: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(path, f"is {shown(value)}, must be a whole number")
    return value


def _number(value: object, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Invalid(path, f"is {shown(value)}, must be a finite number")
    return value


def _truth(value: object, path: Path) -> bool:
    if not isinstance(value, bool):
        raise Invalid(path, f"is {shown(value)}, must be true or false")
    return value


def read_instant(value: object, path: Path) -> datetime:
    if isinstance(value, Unquoted):
        raise Invalid(path, f"{value} must be quoted: '{value}'")
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            return datetime(
                int(value[:4]),
                int(value[5:7]),
                int(value[8:10]),
                int(value[11:13]),
                int(value[14:16]),
                int(value[17:19]),
                tzinfo=UTC,
            )
        except ValueError as error:
            raise Invalid(path, f"{shown(value)} does not exist: {error}") from error
    raise Invalid(
        path,
        f"{shown(value)} is not an instant; write UTC to the second, as '2026-05-12T11:59:59Z'",
    )


def read_date(value: object, path: Path) -> date:
    if isinstance(value, Unquoted):
        raise Invalid(path, f"{value} must be quoted: '{value}'")
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise Invalid(path, f"{shown(value)} does not exist: {error}") from error
    raise Invalid(path, f"{shown(value)} is not a date; write it as '2026-05-12'")


def _read_instant_or_date(value: object, path: Path) -> date:
    looks_like_a_date = isinstance(value, str) and _DATE.fullmatch(value)
    return read_date(value, path) if looks_like_a_date else read_instant(value, path)


_SCALARS: dict[Any, Reader] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _truth,
    datetime: read_instant,
    date: read_date,
}
