"""What somebody means who writes back.  Pure; in doubt it is stop."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import yaml

WORDS = Path(__file__).with_name("stop_words.yaml")

Meaning = Literal["stop", "start", "help", "other"]
# How a stop was known: it was all of the text, one of the letters, or a part of a longer text.
WordClass = Literal["whole", "letter", "in_sentence"]
Words = Mapping[str, tuple[str, ...]]  # a word and the languages in which it means that

_NOISE = re.compile(r"[\s!.,;:?\"'“”‘’„«»()\[\]。!,、]+")
_CJK = re.compile(r"[\u4e00-\u9fff]")


class Heard(NamedTuple):
    """A meaning; of a stop how it was known, and in which languages the word means that."""

    meaning: Meaning
    word_class: WordClass | None = None
    languages: tuple[str, ...] = ()

    @property
    def in_doubt(self) -> bool:
        """Taken for a stop, though the person may have meant something else."""
        return self.word_class in ("letter", "in_sentence")


SAID_STOP = Heard("stop", "whole")
SAID_START = Heard("start")


class Vocabulary(msgspec.Struct, frozen=True):
    """Words by what they mean, of all languages at once: people write in the one they like."""

    stop: Words
    exact_stop: Words
    letter_stop: Words
    start: Words
    help: Words

    def meaning(self, text: str) -> Meaning:
        """`stop` if the text is or contains a word for it; `start` and `help` only as a whole."""
        return self.heard(text).meaning

    def heard(self, text: str) -> Heard:
        """The meaning, and how sure it is."""
        said = _plain(text)
        for words in (self.stop, self.exact_stop):
            if said in words:
                return Heard("stop", "whole", words[said])
        if said in self.letter_stop:
            return Heard("stop", "letter", self.letter_stop[said])
        if contained := self._contained(said):
            return Heard("stop", "in_sentence", contained)
        if said in self.start:
            return SAID_START
        return Heard("help" if said in self.help else "other")

    def _contained(self, said: str) -> tuple[str, ...]:
        """The languages of the words for stop in a longer text."""
        padded = f" {said} "
        return _sorted(
            language
            for word, languages in self.stop.items()
            if (word in said if _CJK.search(word) else f" {word} " in padded)
            for language in languages
        )


@cache
def load_vocabulary() -> Vocabulary:
    words = yaml.safe_load(WORDS.read_text("utf-8"))
    return Vocabulary(
        stop=_all(words["stop"]),
        exact_stop=_all(words["exact"]),
        letter_stop=_all(words["letter"]),
        start=_all(words["start"]),
        help=_all(words["help"]),
    )


def _all(by_language: Mapping[str, list[str]]) -> Words:
    found: dict[str, set[str]] = {}
    for language, words in by_language.items():
        for word in words:
            found.setdefault(_plain(word), set()).add(language)
    return {word: _sorted(languages) for word, languages in found.items()}


def _sorted(languages: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(languages)))


def _plain(text: str) -> str:
    return " ".join(_NOISE.sub(" ", text.casefold()).split())
