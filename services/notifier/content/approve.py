"""May this template be approved?  Its texts, filled with samples, are held to what it declares."""

from collections.abc import Iterable, Sequence

import msgspec

from services.events.permits import ContentFacts
from services.events.words import Channel
from services.notifier.content.classify import (
    Finding,
    Findings,
    MessageParts,
    classify,
    classify_by,
)
from services.notifier.content.facts import UNPROVABLE
from services.notifier.content.lists import every_list
from services.notifier.content.words import DECLARED, NEVER


class Problem(msgspec.Struct, frozen=True, order=True):
    """Why a template may not go out: which name is wrong, and the fix.  Never its text."""

    name: str
    fix: str
    entry: str | None = None  # the list entry that found it


def check_template(
    samples: Iterable[MessageParts], declared: ContentFacts, language: str, channel: Channel
) -> Sequence[Problem]:
    """Every problem in any of the rendered samples, once; empty: it may be approved.

    Every language's lists are asked, too: a threat in another language than the template's is one.
    """
    problems: set[Problem] = set()
    for parts in samples:
        found = classify(parts, language, channel)
        elsewhere = classify_by(every_list(), parts, channel)
        problems.update(_bad_labels((*found.found, *elsewhere.found), declared))
        problems.update(_not_as_declared(found, declared))
    return sorted(problems)


def _bad_labels(found: Sequence[Finding], declared: ContentFacts) -> Iterable[Problem]:
    for finding in found:
        if finding.name in NEVER:
            yield Problem(finding.name, "no message may have it; reword the text", finding.entry)
        elif finding.name in DECLARED and finding.name not in declared.labels:
            fix = "add it to labels in template.yaml, so that policy knows, or reword the text"
            yield Problem(finding.name, fix, finding.entry)


def _not_as_declared(found: Findings, declared: ContentFacts) -> Iterable[Problem]:
    for element in declared.elements:
        if element not in found.elements and element not in UNPROVABLE:
            fix = (
                "declared in template.yaml and not found in the text: add it, or take it out there"
            )
            yield Problem(element, fix)
    for element in ("sender_name", "amount"):
        if element in found.elements and element not in declared.elements:
            yield Problem(element, "found in the text: add it to elements in template.yaml")
    if declared.opt_out != found.opt_out:
        fix = f"template.yaml says {declared.opt_out}, the text says {found.opt_out}"
        yield Problem("opt_out", fix)
    if bool(declared.states_debt) != found.states_debt:
        fix = f"template.yaml says {declared.states_debt}, the text says {found.states_debt}"
        yield Problem("states_debt", fix)
