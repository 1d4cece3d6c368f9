"""The word lists of `lists/*.yaml`, read and compiled once."""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec
import yaml

from services.events.words import Element, Label, OptOut
from services.notifier.content.phrases import STEM, Phrase, compile_phrase
from services.notifier.content.words import NEGATABLE

LISTS = Path(__file__).with_name("lists")
LANGUAGES = ("en", "zh", "es", "pt", "hi", "id")
ANY = "any"  # numbers and signs that no language owns

# Where an entry looks: everywhere; what bystanders see (subject, title, sender's name); that and
# the first words of a push, which a locked screen shows.
Where = Literal["anywhere", "seen", "preview"]


class ListError(ValueError):
    """A list that can't be used; the text names the file, the entry and the fix."""


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    reason: str
    label: Label | None = None
    element: Element | None = None
    opt_out: OptOut | None = None
    states_debt: Literal[True] | None = None
    source: str | None = None
    where: Where = "anywhere"
    phrases: tuple[str, ...] = ()
    regex: str | None = None  # on the folded text, signs and all; for numbers
    needs: tuple[str, ...] = ()  # with regex: one of these must be in the text first
    unless: tuple[str, ...] = ()  # phrases that, in the same sentence, lift a finding


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    language: str
    denials: tuple[str, ...] = ()  # words that take a threat back
    not_denials: tuple[str, ...] = ()  # phrases that hold such words and don't
    entries: tuple[_Written, ...]


class Entry(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One entry, ready to be looked for.  `name` is a label, an element, or one of two facts."""

    id: str
    language: str
    name: str
    kind: Literal["label", "element", "opt_out", "states_debt"]
    reason: str
    source: str | None
    where: Where
    negatable: bool
    phrases: tuple[Phrase, ...]
    regex: re.Pattern[str] | None
    needs: tuple[str, ...]
    unless: tuple[Phrase, ...]


class Lists(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What one language is judged by.  `index`: key to the phrases that need it most."""

    index: Mapping[str, tuple[tuple[Entry, Phrase], ...]]
    stems: frozenset[str]  # how words begin of which a phrase knows the stem only
    expressions: tuple[Entry, ...]
    counting: tuple[Entry, ...]  # those expressions that look at numbers
    denials: tuple[Phrase, ...]
    not_denials: tuple[Phrase, ...]


@lru_cache(maxsize=32)
def lists_for(language: str) -> Lists:
    """The lists of this language, of English, which every language mixes in, and of none."""
    own = language.partition("-")[0].lower()
    names = dict.fromkeys((ANY, "en", own if own in LANGUAGES else "en"))
    return _joined(tuple(names))


@lru_cache(maxsize=1)
def every_list() -> Lists:
    """All languages at once: slower, for the approval of a template."""
    return _joined((ANY, *LANGUAGES))


@lru_cache(maxsize=1)
def entries() -> Mapping[str, Entry]:
    """Every entry by its id."""
    every: dict[str, Entry] = {}
    for name in (ANY, *LANGUAGES):
        for entry in read_list(LISTS / f"{name}.yaml")[0]:
            if entry.id in every:
                raise ListError(f"{name}.yaml: entry {entry.id}: the id is used twice; rename it")
            every[entry.id] = entry
    return every


@lru_cache(maxsize=16)
def read_list(path: Path) -> tuple[tuple[Entry, ...], tuple[Phrase, ...], tuple[Phrase, ...]]:
    """The entries, denials and not-denials of one file; ListError if it can't be used."""
    try:
        written = msgspec.convert(yaml.safe_load(path.read_text("utf-8")), _File)
    except (msgspec.ValidationError, yaml.YAMLError) as error:
        raise ListError(f"{path.name}: {error}") from None
    return (
        tuple(_entry(entry, written.language, path.name) for entry in written.entries),
        _phrases(written.denials, path.name, "denials"),
        _phrases(written.not_denials, path.name, "not_denials"),
    )


def _entry(entry: _Written, language: str, file: str) -> Entry:
    given = [
        (kind, name)
        for kind, name in (
            ("label", entry.label),
            ("element", entry.element),
            ("opt_out", entry.opt_out),
            ("states_debt", "states_debt" if entry.states_debt else None),
        )
        if name is not None
    ]
    if len(given) != 1:
        raise ListError(
            f"{file}: entry {entry.id}: give one of label, element, opt_out, states_debt"
        )
    if not entry.phrases and not entry.regex:
        raise ListError(f"{file}: entry {entry.id}: phrases or regex is required")
    if entry.regex and not entry.needs:
        raise ListError(f"{file}: entry {entry.id}: a regex needs `needs`, texts to look for first")
    kind, name = given[0]
    return Entry(
        id=entry.id,
        language=language,
        name=name,
        kind=kind,  # type: ignore[arg-type]  # one of the four above
        reason=entry.reason,
        source=entry.source,
        where=entry.where,
        negatable=name in NEGATABLE,
        phrases=_phrases(entry.phrases, file, entry.id),
        regex=re.compile(entry.regex) if entry.regex else None,
        needs=entry.needs,
        unless=_phrases(entry.unless, file, entry.id),
    )


def _phrases(written: tuple[str, ...], file: str, place: str) -> tuple[Phrase, ...]:
    try:
        return tuple(compile_phrase(phrase) for phrase in written)
    except (ValueError, re.error) as error:
        raise ListError(f"{file}: {place}: {error}") from None


def _joined(names: tuple[str, ...]) -> Lists:
    index: dict[str, list[tuple[Entry, Phrase]]] = {}
    expressions: list[Entry] = []
    denials: list[Phrase] = []
    not_denials: list[Phrase] = []
    files = [read_list(LISTS / f"{name}.yaml") for name in names]
    weight = _weights(files)
    for found, own_denials, own_not_denials in files:
        denials += own_denials
        not_denials += own_not_denials
        for entry in found:
            if entry.regex:
                expressions.append(entry)
            for phrase in entry.phrases:
                # Filed under the piece that the fewest phrases share: the likeliest to be absent.
                rarest = min(phrase.requires, key=lambda keys: sum(weight[key] for key in keys))
                for key in rarest:
                    index.setdefault(key, []).append((entry, phrase))
    return Lists(
        index={key: tuple(found) for key, found in index.items()},
        stems=frozenset(key[:STEM] for key in weight if key.endswith("*")),
        expressions=tuple(expressions),
        counting=tuple(e for e in expressions if e.regex and "\\d" in e.regex.pattern),
        denials=tuple(denials),
        not_denials=tuple(not_denials),
    )


def _weights(
    files: list[tuple[tuple[Entry, ...], tuple[Phrase, ...], tuple[Phrase, ...]]],
) -> dict[str, int]:
    weights: dict[str, int] = {}
    for found, _, _ in files:
        for entry in found:
            for phrase in entry.phrases:
                for keys in phrase.requires:
                    for key in keys:
                        weights[key] = weights.get(key, 0) + 1
    return weights
