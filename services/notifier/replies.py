"""What somebody means who writes back.  Pure; in doubt it is stop."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
import yaml

WORDS = Path(__file__).with_name("stop_words.yaml")

Meaning = Literal["stop", "start", "help", "other"]

_NOISE = re.compile(r"[\s!.,;:?\"'“”‘’„«»()\[\]。!,、]+")
_CJK = re.compile(r"[\u4e00-\u9fff]")


class Vocabulary(msgspec.Struct, frozen=True):
    """Words by what they mean, of all languages at once: people write in the one they like."""

    stop: frozenset[str]
    exact_stop: frozenset[str]
    start: frozenset[str]
    help: frozenset[str]

    def meaning(self, text: str) -> Meaning:
        """`stop` if the text is or contains a word for it; `start` and `help` only as a whole."""
        said = _plain(text)
        if said in self.exact_stop or self._stops(said):
            return "stop"
        if said in self.start:
            return "start"
        return "help" if said in self.help else "other"

    def _stops(self, said: str) -> bool:
        padded = f" {said} "
        return any(
            word in said if _CJK.search(word) else f" {word} " in padded for word in self.stop
        )


def load_vocabulary(path: Path = WORDS) -> Vocabulary:
    words = yaml.safe_load(path.read_text("utf-8"))
    return Vocabulary(
        stop=_all(words["stop"]),
        exact_stop=_all(words["exact"]),
        start=_all(words["start"]),
        help=_all(words["help"]),
    )


def _all(by_language: Mapping[str, list[str]]) -> frozenset[str]:
    return frozenset(_plain(word) for words in by_language.values() for word in words)


def _plain(text: str) -> str:
    return " ".join(_NOISE.sub(" ", text.casefold()).split())
