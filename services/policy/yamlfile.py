"""Read YAML with the line of every value, refusing keys that stand twice and not guessing at dates,
clocks or `no`.

Plain `no`, `on`, `off`, `yes` stay text. An unquoted date or clock time, which YAML would turn into
a date or a number of sixties, becomes `Unquoted` text, and whoever reads it says that quotation
marks are missing.
"""

import math
import re

import yaml

from services.policy.strict import Invalid, Path, Unquoted

_INT = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
)
_SIXTIES = re.compile(r"[-+]?[0-9]+(:[0-9]{1,2})+(\.[0-9]*)?")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_INFINITE = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}

_MOST_VALUES = 1_000_000  # aliases can make a small file very large

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unreadable(ValueError):
    """Not YAML at all; the text says where."""


class Document:
    """Plain values, the line on which each stands, and keys found twice."""

    __slots__ = ("_lines", "twice", "value")

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        self.twice: list[Invalid] = []
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f"line {mark.line + 1}: " if mark else ""
            raise Unreadable(f"{where}not YAML: {error.problem or error.context}") from error
        except yaml.YAMLError as error:
            raise Unreadable(f"not YAML: {error}") from error
        self.value: object = None if node is None else self._value(node, (), ())

    def line(self, path: Path) -> int:
        """The line of the value there, or of the nearest one round it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def problems_in(self, path: Path) -> list[Invalid]:
        return [found for found in self.twice if found.path[: len(path)] == path]

    def _value(self, node: yaml.Node, path: Path, within: tuple[int, ...]) -> object:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if len(self._lines) > _MOST_VALUES:
            raise Unreadable("not YAML we read: more than a million values")
        if id(node) in within:
            raise Unreadable(f"line {node.start_mark.line + 1}: not YAML we read: contains itself")
        within = (*within, id(node))
        if isinstance(node, yaml.MappingNode):
            return self._map(node, path, within)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(part, (*path, i), within) for i, part in enumerate(node.value)]
        return _scalar(node)

    def _map(
        self, node: yaml.MappingNode, path: Path, within: tuple[int, ...]
    ) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                line = key_node.start_mark.line + 1
                raise Unreadable(f"line {line}: not YAML we read: a key must be plain text")
            key = str(key_node.value)
            here = (*path, key)
            self._lines.setdefault(here, key_node.start_mark.line + 1)
            if key in found:
                line = key_node.start_mark.line + 1
                self.twice.append(Invalid(here, f"stands twice, again on line {line}; keep one"))
            found[key] = self._value(value_node, here, within)
        return found


def _scalar(node: yaml.Node) -> object:
    text = str(node.value)
    if not node.tag.startswith("tag:yaml.org,2002:"):
        line = node.start_mark.line + 1
        raise Unreadable(f"line {line}: not YAML we read: {node.tag} is a tag; leave it out")
    if getattr(node, "style", None) in ("'", '"', "|", ">") or node.tag == "tag:yaml.org,2002:str":
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    if text.lower() in _INFINITE:
        return _INFINITE[text.lower()]
    if _SIXTIES.fullmatch(text) or _TIMESTAMP.fullmatch(text):
        return Unquoted(text)
    return text
