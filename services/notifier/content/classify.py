"""What does this message contain?  Pure: its parts and the lists make labels and elements.

Findings name entries of the lists, never the text they were found in.
"""

from collections.abc import Collection, Iterator
from functools import lru_cache

import msgspec

from services.events.words import Channel
from services.notifier.content.lists import Entry, Lists, lists_for
from services.notifier.content.normalize import fold, tokens, unmasked
from services.notifier.content.numbers import states_amount, without_links, without_numbers
from services.notifier.content.phrases import Phrase, keys_of
from services.notifier.content.words import ELEMENTS, LABELS

DENIAL_REACH = 5  # words, or characters of Chinese × 2, before a threat that may take it back


class MessageParts(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered message: the subject of a mail or title of a push, its body, who it is from."""

    body: str
    subject: str | None = None
    sender: str | None = None

    def __repr__(self) -> str:
        return "MessageParts()"


class Finding(msgspec.Struct, frozen=True, order=True):
    """One thing found, by which entry of the lists."""

    name: str
    entry: str


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Names in the order of the closed lists; `found` says by which entries."""

    labels: tuple[str, ...]
    elements: tuple[str, ...]
    opt_out: str | None
    states_debt: bool
    found: tuple[Finding, ...]


def classify(parts: MessageParts, language: str, channel: Channel) -> Findings:
    """Everything that the language's lists know."""
    return classify_by(lists_for(language), parts, channel)


def classify_by(lists: Lists, parts: MessageParts, channel: Channel) -> Findings:
    """The same by given lists."""
    found = sorted(
        {Finding(e.name, e.id): e for e in search(lists, parts, channel)}.items(),
        key=lambda pair: pair[0],
    )
    by_kind: dict[str, list[str]] = {"label": [], "element": [], "opt_out": [], "states_debt": []}
    for finding, entry in found:
        by_kind[entry.kind].append(finding.name)
    elements = {*by_kind["element"]}
    if sender_is_named(parts, channel):
        elements.add("sender_name")
    if states_amount(parts.subject or "", parts.body):
        elements.add("amount")
    return Findings(
        labels=tuple(label for label in LABELS if label in by_kind["label"]),
        elements=tuple(element for element in ELEMENTS if element in elements),
        opt_out=preferred_opt_out(by_kind["opt_out"], channel),
        states_debt=bool(by_kind["states_debt"]),
        found=tuple(finding for finding, _ in found),
    )


def preferred_opt_out(ways: list[str], channel: Channel) -> str | None:
    """A mail's own way is its link, a text's is the reply; otherwise the first that is there."""
    order = ("link", "reply") if channel is Channel.EMAIL else ("reply", "link")
    for way in (*order, "post", "form_with_extra_data"):
        if way in ways:
            return way
    return None


def sender_is_named(parts: MessageParts, channel: Channel) -> bool:
    """Whether a reader sees from whom it is, in the text, or as a push's title."""
    if not parts.sender:
        return False
    shown = f"{parts.subject} {parts.body}" if channel is Channel.PUSH else parts.body
    return parts.sender in shown or fold(parts.sender) in fold(shown)


def search(
    lists: Lists, parts: MessageParts, channel: Channel, wanted: Collection[str] | None = None
) -> Iterator[Entry]:
    """Each entry found, possibly more than once; of elements only those wanted, if given.

    Words are looked for once in a text without its numbers, and remembered; what rests on numbers
    is looked for every time.
    """
    subject, sender = without_links(parts.subject or ""), parts.sender or ""
    body = without_links(parts.body)
    yield from _by_words(
        lists, channel is Channel.PUSH, sender, without_numbers(subject), without_numbers(body)
    )
    whole = f"{subject} . {body}".lower()
    for entry in lists.counting:
        if wanted is not None and entry.kind == "element" and entry.name not in wanted:
            continue
        for need in entry.needs:
            if need in whole:
                if _expressed(entry, whole):
                    yield entry
                break


@lru_cache(maxsize=8192)
def _by_words(
    lists: Lists, is_push: bool, sender: str, subject: str, body: str
) -> tuple[Entry, ...]:
    """Letters masked as digits or spelled apart are looked at a second time, restored."""
    seen = " . ".join(part for part in (sender, subject) if part)
    folded = fold(f"{seen} . {body}" if seen else body)
    folded_seen = fold(seen)
    found = [*_in_text(lists, folded, folded_seen, folded if is_push else folded_seen)]
    restored = unmasked(folded)
    if restored is not None:
        seen_too = unmasked(folded_seen) or folded_seen
        found += _in_text(lists, restored, seen_too, restored if is_push else seen_too)
    return tuple(dict.fromkeys(found))


def _in_text(lists: Lists, folded: str, seen: str, preview: str) -> Iterator[Entry]:
    text = tokens(folded)
    keys = keys_of(text, lists.stems)
    index = lists.index
    for key in keys & index.keys():
        for entry, phrase in index[key]:
            if any(keys.isdisjoint(required) for required in phrase.requires):
                continue
            within = text if entry.where == "anywhere" else _tokens_of(entry, seen, preview)
            if _matches(lists, entry, phrase, within):
                yield entry
    for entry in lists.expressions:
        if any(need in folded for need in entry.needs) and _expressed(entry, folded):
            yield entry


def _expressed(entry: Entry, text: str) -> bool:
    return (
        entry.regex is not None
        and entry.regex.search(text) is not None
        and not any(lifted.pattern.search(tokens(fold(text))) for lifted in entry.unless)
    )


def _tokens_of(entry: Entry, seen: str, preview: str) -> str:
    return tokens(seen if entry.where == "seen" else preview)


def _matches(lists: Lists, entry: Entry, phrase: Phrase, text: str) -> bool:
    """Found at least once where neither an exception nor a denial lifts it."""
    for match in phrase.pattern.finditer(text):
        start = text.rfind(" . ", 0, match.start() + 1) + 1
        end = text.find(" . ", match.end())
        sentence = f" {text[start : end if end >= 0 else len(text)].strip()} "
        if any(lifted.pattern.search(sentence) for lifted in entry.unless):
            continue
        if entry.negatable and _denied(lists, text[start:], match.start() - start, match[0]):
            continue
        return True
    return False


def _denied(lists: Lists, sentence: str, at: int, matched: str) -> bool:
    """Whether the few words before a match, in its clause, or the match itself deny it."""
    clause = sentence[: at + 1].rpartition(" , ")[2].split(" ")
    window = " ".join(
        word[-2 * DENIAL_REACH :] if not word.isascii() and len(word) > 2 * DENIAL_REACH else word
        for word in clause[-DENIAL_REACH:]
    )
    text = f" {window.strip()}{' ' if not matched.startswith(' ') and matched.isascii() else ''}"
    text = f"{text}{matched} "
    for phrase in lists.not_denials:
        text = phrase.pattern.sub(" ", text)
    return any(phrase.pattern.search(text) for phrase in lists.denials)
