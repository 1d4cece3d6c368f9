"""Fills the tables of docs/*.md that the code knows better:  python -m tests.docs.fill

What stands between `<!-- fill: name argument -->` and `<!-- end -->` is made here; a test holds it
equal to what stands in the documents.
"""

import ast
import inspect
import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as shapes
from prometheus_client import Counter, Gauge, Histogram

from services.events.topics import TYPES
from services.policy import stop_problems
from services.runtime import metrics

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GOLDEN = ROOT / "tests" / "events" / "golden"

_BLOCK = re.compile(r"<!-- fill: (.+?) -->\n.*?<!-- end -->", re.DOTALL)

# Text that has a name of its own in services/events/base.py.
_PATTERNS = {
    r"^[^\x00\r\n]*\Z": "text",
    r"^[a-z0-9][a-z0-9-]{0,39}\Z": "tenant",
    r"^[A-Z]{3}\Z": "currency, ISO 4217",
    r"^[a-z_]{1,60}\Z": "code",
}


def event(name: str) -> str:
    """An event: what it says, its fields, its golden message."""
    struct = TYPES[name]
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    value = json.dumps(golden["value"], indent=2, ensure_ascii=False)
    doc = inspect.cleandoc(struct.__doc__ or "").replace("\n", " ")
    return f"{doc}\n\n{_fields(struct)}\n\n```json\n{value}\n```"


def body(path: str) -> str:
    """A request's body: its fields."""
    module, _, name = path.rpartition(".")
    return _fields(getattr(import_module(module), name))


def words(_: str) -> str:
    """The closed lists that the events of stop.events use."""
    lists = {
        "`kind` of a stop": stop_problems.STOP_KINDS,
        "`form`": stop_problems.FORMS,
        "`channels`": stop_problems.CHANNELS,
        "`purposes`": stop_problems.PURPOSES,
        "`to` of a consent": stop_problems.CONSENT_KINDS,
        "`given_to`": stop_problems.GIVERS,
        "`kind` of a preference": stop_problems.PREFERENCE_KINDS,
        "`kind` of a notice": stop_problems.NOTICE_KINDS,
        "`kind` of a duty": stop_problems.DUTY_KINDS,
    }
    lines = [f"| {name} | {', '.join(f'`{w}`' for w in found)} |" for name, found in lists.items()]
    return "\n".join(["| field | one of |", "| --- | --- |", *lines])


def headers(_: str) -> str:
    """The headers of one golden message."""
    golden = json.loads((GOLDEN / "dunwell.loan_registered.v1.json").read_text())
    lines = [f"{name}: {text}" for name, text in golden["headers"].items()]
    return "\n".join(["```", *lines, "```"])


def modules(_: str) -> str:
    """The closed list of runtime modules, each with its own first sentence."""
    lines = []
    for path in sorted((ROOT / "services" / "runtime").glob("*.py")):
        if path.stem != "__init__":
            first = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()[0]
            lines.append(f"| `{path.stem}` | {_cell(first)} |")
    return "\n".join(["| module | job |", "| --- | --- |", *lines])


def metric_names(_: str) -> str:
    """Every metric with its labels."""
    lines = []
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            (described,) = metric.describe()
            name = described.name + ("_total" if isinstance(metric, Counter) else "")
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)
            lines.append(f"| `{name}` | {described.type} | {labels} | {described.documentation} |")
    return "\n".join(["| metric | type | labels | counts |", "| --- | --- | --- | --- |", *lines])


FILLERS: dict[str, Callable[[str], str]] = {
    "event": event,
    "body": body,
    "headers": headers,
    "words": words,
    "modules": modules,
    "metrics": metric_names,
}


def filled(text: str) -> str:
    """A document with every block made anew."""

    def block(found: re.Match[str]) -> str:
        name, _, argument = found[1].partition(" ")
        return f"<!-- fill: {found[1]} -->\n{FILLERS[name](argument)}\n<!-- end -->"

    return _BLOCK.sub(block, text)


def _fields(struct: type[msgspec.Struct]) -> str:
    remarks = dict(re.findall(r"^    (\w+): .*?  # (.+)$", inspect.getsource(struct), re.MULTILINE))
    info = shapes.type_info(struct)
    assert isinstance(info, shapes.StructType)
    lines = []
    for field in info.fields:
        if field.required:
            needed = "required"
        elif field.default in (None, (), "", msgspec.NODEFAULT) or isinstance(
            field.default, msgspec.Struct
        ):
            needed = ""
        else:
            needed = f"`{json.dumps(field.default)}`"
        remark = _cell(remarks.get(field.name, ""))
        lines.append(f"| `{field.encode_name}` | {_type(field.type)} | {needed} | {remark} |")
    return "\n".join(["| field | type | default | |", "| --- | --- | --- | --- |", *lines])


def _type(shape: Any) -> str:
    match shape:
        case shapes.UnionType():
            return _type(next(t for t in shape.types if not isinstance(t, shapes.NoneType)))
        case shapes.StrType():
            return _PATTERNS.get(shape.pattern or "", "text")
        case shapes.IntType(ge=0, le=1_000_000_000_000_000):
            return "minor units"
        case shapes.IntType():
            return "integer"
        case shapes.LiteralType():
            return "one of " + ", ".join(f"`{word}`" for word in shape.values)
        case shapes.EnumType():
            return "one of " + ", ".join(f"`{word}`" for word in shape.cls)
        case shapes.CollectionType() | shapes.VarTupleType() | shapes.ListType():
            return f"list of {_type(shape.item_type)}"
        case shapes.StructType():
            return f"`{shape.cls.__name__}`"
        case shapes.Metadata():
            return _type(shape.type)
        case shapes.DateTimeType():
            return "instant"
        case shapes.DateType():
            return "date"
        case shapes.UUIDType():
            return "UUID"
        case shapes.BoolType():
            return "boolean"
        case shapes.BytesType():
            return "bytes in base64"
        case shapes.RawType():
            return "`LoanBody`"
    raise TypeError(f"no words for {shape}")


def _cell(text: str) -> str:
    return text.replace("|", "or")


def main() -> None:
    """Write every document anew."""
    for path in sorted(DOCS.glob("*.md")):
        before = path.read_text()
        if (after := filled(before)) != before:
            path.write_text(after)
            print(f"filled {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
