"""How well the lists judge the corpus: `python -m tests.notifier_content.report [--write]`.

A third of the corpus is held out: the lists are never tuned on it, and its misses aren't shown.
Which third follows from the id of the message, so that adding messages moves none.
"""

import sys
import zlib
from pathlib import Path

import msgspec
import yaml

from services.events.words import Channel
from services.notifier.content.classify import MessageParts, classify
from services.notifier.content.lists import LANGUAGES

CORPUS = Path(__file__).with_name("corpus")
DOCS = Path(__file__).parents[2] / "docs" / "content.md"
BEGIN, END = "<!-- report: begin -->", "<!-- report: end -->"


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message and the labels that it has; `asks_payment` is a fact and isn't judged."""

    id: str
    body: str
    channel: Channel = Channel.SMS
    subject: str | None = None
    sender: str | None = None
    labels: frozenset[str] = frozenset()
    note: str | None = None


class Corpus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One language's messages."""

    language: str
    good: tuple[Example, ...]
    bad: tuple[Example, ...]


class Score(msgspec.Struct):
    """Counted by label: of those found, how many are right; of those there, how many found."""

    messages: int = 0
    right: int = 0
    false: int = 0
    missed: int = 0
    good: int = 0
    good_held: int = 0
    bad: int = 0
    bad_passed: int = 0

    @property
    def precision(self) -> float:
        """Of the labels found, the part that is there."""
        return self.right / (self.right + self.false)

    @property
    def recall(self) -> float:
        """Of the labels that are there, the part found."""
        return self.right / (self.right + self.missed)


def corpora() -> list[Corpus]:
    """Every language's corpus, in the order of the languages."""
    texts = [(CORPUS / f"{language}.yaml").read_text("utf-8") for language in LANGUAGES]
    return [msgspec.convert(yaml.safe_load(text), Corpus) for text in texts]


def is_held_out(example: Example) -> bool:
    """One in three."""
    return zlib.crc32(example.id.encode()) % 3 == 0


def labels_found(example: Example, language: str) -> frozenset[str]:
    """What the lists say of it."""
    parts = MessageParts(body=example.body, subject=example.subject, sender=example.sender)
    return frozenset(classify(parts, language, example.channel).labels) - {"asks_payment"}


def scores() -> dict[tuple[str, bool], Score]:
    """By language ("all" too) and whether held out."""
    table: dict[tuple[str, bool], Score] = {}
    for corpus in corpora():
        for example in (*corpus.good, *corpus.bad):
            found = labels_found(example, corpus.language)
            for language in ("all", corpus.language):
                score = table.setdefault((language, is_held_out(example)), Score())
                score.messages += 1
                score.right += len(found & example.labels)
                score.false += len(found - example.labels)
                score.missed += len(example.labels - found)
                score.good += not example.labels
                score.good_held += bool(found and not example.labels)
                score.bad += bool(example.labels)
                score.bad_passed += bool(example.labels and not found)
    return table


def misses_of_the_tuned() -> list[str]:
    """What to mend, by id; the held-out part stays unseen."""
    lines = []
    for corpus in corpora():
        for example in (*corpus.good, *corpus.bad):
            found = labels_found(example, corpus.language)
            if not is_held_out(example) and found != example.labels:
                false, missed = sorted(found - example.labels), sorted(example.labels - found)
                lines.append(f"{example.id}: false {false}, missed {missed}")
    return lines


def table() -> str:
    """The report as a table of Markdown."""
    lines = [
        "| part | language | messages | precision | recall | good ones held | bad ones passed |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    found = scores()
    for held_out, part in ((False, "tuned"), (True, "held out")):
        for language in ("all", *LANGUAGES):
            score = found[language, held_out]
            lines.append(
                f"| {part} | {language} | {score.messages} | {score.precision:.3f}"
                f" | {score.recall:.3f} | {score.good_held} of {score.good}"
                f" | {score.bad_passed} of {score.bad} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Print the table and the tuned part's misses; --write puts the table in docs/content.md."""
    report = table()
    print(report)
    for line in misses_of_the_tuned():
        print(line)
    if "--write" in sys.argv[1:]:
        text = DOCS.read_text("utf-8")
        before, _, rest = text.partition(BEGIN)
        DOCS.write_text(f"{before}{BEGIN}\n{report}\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
