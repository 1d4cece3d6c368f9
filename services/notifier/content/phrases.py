"""The small language that the lists are written in, compiled to one regular expression a phrase.

    word          that word                     word*    a word that begins so (3 letters at least)
    0             any number
    [a|b c|d*]    any one of these              [a|b]?   any one of these, or nothing
    ..            up to three words between     ...      up to eight words between, in one sentence

In Chinese there are no spaces: .. is up to four characters, ... up to twelve.
"""

import re
from collections.abc import Container, Iterator
from functools import cache
from itertools import pairwise

import msgspec

from services.notifier.content.normalize import fold, has_han, tokens

STEM = 3  # letters that a stem has at least
LONGEST_STEM = 12
_GAPS = {"..": (3, 4), "...": (8, 12)}  # words, Chinese characters
_PIECE = re.compile(r"\.{2,3}|\[[^\]]+\]\??|[^\s\[\].]+")


class Phrase(msgspec.Struct, frozen=True):
    """`requires`: of each of these sets, one key must be in the text before the phrase is tried."""

    expression: str
    requires: tuple[frozenset[str], ...]

    @property
    def pattern(self) -> re.Pattern[str]:
        """Compiled at first use: of two thousand phrases a lender's messages try a few dozen."""
        return _compiled(self.expression)


def keys_of(text: str, stems: Container[str]) -> set[str]:
    """What phrases can require of a text of tokens: its words, the beginnings of those that may
    have a stem (written with a star), and the characters and pairs of its Han.
    """
    keys = set(text.split())
    for word in tuple(keys):
        if word[:STEM] in stems:
            keys.update(word[:length] + "*" for length in range(STEM, LONGEST_STEM + 1))
    if not text.isascii() and has_han(text):
        keys.update(text)
        keys.update(first + second for first, second in pairwise(text))
    return keys


def compile_phrase(written: str) -> Phrase:
    """Raises ValueError, naming the phrase, if it is not in the language."""
    pieces = _PIECE.findall(written)
    if not pieces or pieces[0] in _GAPS or pieces[-1] in _GAPS:
        raise ValueError(f"{written!r}: a phrase begins and ends with a word")
    if "".join("".join(pieces).split()) != "".join(written.split()):
        raise ValueError(f"{written!r}: only words, *, [a|b], ? and gaps of two or three dots")
    han = has_han(written)
    pattern = "".join(_expressions(pieces, han))
    requires = tuple(
        keys
        for piece in pieces
        if piece not in _GAPS and not piece.endswith("?") and (keys := _keys(piece, written, han))
    )
    if not requires:
        raise ValueError(f"{written!r}: no piece of it is a word that can be looked up")
    end = "" if han else "(?= )"
    return Phrase(pattern + end, tuple(sorted(requires, key=len)))


@cache
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression)


def _expressions(pieces: list[str], han: bool) -> Iterator[str]:
    for piece in pieces:
        if piece in _GAPS:
            words, characters = _GAPS[piece]
            yield rf"[^.]{{0,{characters}}}?" if han else rf"(?: [^ .]+){{0,{words}}}?"
        elif piece.startswith("["):
            options = "|".join(_literal(option, han) for option in _options(piece))
            yield f"(?:{options}){'?' if piece.endswith('?') else ''}"
        else:
            yield _literal(piece, han)


def _options(piece: str) -> list[str]:
    return piece.rstrip("?")[1:-1].split("|")


def _literal(option: str, han: bool) -> str:
    """` word other[^ ]*` for spaced languages; bare characters, spaces allowed, for Chinese."""
    words = [re.escape(word.rstrip("*")) + "[^ ]*" * word.endswith("*") for word in _words(option)]
    if has_han(option):
        return " ?" + " ?".join(words)
    return "".join(f" {'?' if han else ''}{word}" for word in words)


def _words(option: str) -> list[str]:
    words = []
    for word in option.split():
        folded = tokens(fold(word)).split()
        if not folded or "," in folded or "." in folded:
            raise ValueError(f"{word!r}: a word has letters or digits, and no other signs")
        words += [*folded[:-1], folded[-1] + "*" * word.endswith("*")]
    if not words:
        raise ValueError("an option is empty; for one that may be missing write [a|b]?")
    return words


def _keys(piece: str, written: str, han: bool) -> frozenset[str]:
    """Empty: an option is too short to be looked up, so nothing can be required."""
    options = _options(piece) if piece.startswith("[") else [piece]
    keys = {_key(_words(option), written, han) for option in options}
    return frozenset() if "" in keys else frozenset(keys)


def _key(words: list[str], written: str, han: bool) -> str:
    longest = max(words, key=len)
    stem = longest.rstrip("*")
    if has_han(stem):
        return stem[:2]
    if longest.endswith("*"):
        if len(stem) < STEM:
            raise ValueError(f"{written!r}: a stem has {STEM} letters or more, {longest} has fewer")
        longest = stem[:LONGEST_STEM] + "*"
    # A Latin letter beside Chinese characters need not stand between spaces.
    return "" if han else longest
