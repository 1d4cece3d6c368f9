"""What a tenant's own pack may not do, and whether its cases come out right.  Pure: packs, texts.

A tenant adds rules and tightens; what is shipped stays as it is (rules.md section 7).
"""

from collections.abc import Mapping, Sequence
from functools import cache

import msgspec

from services.policy import jurisdictions, pack_diff
from services.policy.check import UnreadableFile, check_text
from services.policy.loosening import Loosening, loosened
from services.policy.pack import Pack, PackError, Problem, load_shipped, load_text, shipped
from services.policy.pack_lint import never_in_force
from services.policy.rule import Rule
from services.policy.rules.content_must_not import ContentMustNot
from services.policy.ruleset import compile_rules
from services.policy.rulesets import ALWAYS
from services.policy.strict import Invalid
from services.policy.stricter import Way
from services.policy.wrong_cases import wrong_cases
from services.policy.yamlfile import Document, Unreadable


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found; nothing is recorded if there is a problem."""

    problems: tuple[str, ...] = ()
    cases_right: int = 0
    loosens: tuple[Loosening, ...] = ()  # of the tenant's own version before


def redefined(pack: Pack) -> list[Problem]:
    """Where a tenant's pack takes the name of something shipped; says what that would loosen."""
    if pack.id in (*shipped(), "always", "inline"):
        text = f"{pack.id!r} is a shipped pack's; give yours a name of its own, both are asked"
        return [pack.origin.problem(Invalid(("pack",), text)), *_rules_redefined(pack)]
    return _rules_redefined(pack)


def _rules_redefined(pack: Pack) -> list[Problem]:
    found: list[Problem] = []
    for i, rule in enumerate(pack.rules):
        owner, base = shipped_rules().get(rule.id, ("", None))
        if base is None:
            continue
        looser = [each for each in loosened([base], [rule]) if each.rule == base.id]
        said = "".join(f"; it loosens {each.field or 'it'}: {each.why}" for each in looser)
        text = f"{rule.id!r} is a rule of {owner}, which forbids it; add a rule with an id of yours"
        found.append(pack.origin.problem(Invalid(("rules", i, "id"), text + said), rule.id))
    return found


@cache
def shipped_rules() -> Mapping[str, tuple[str, Rule]]:
    """By its id each rule that is shipped, with the id of its pack."""
    always = load_text(ALWAYS.read_text(encoding="utf-8"), ALWAYS.name)
    packs = [always, *(load_shipped(name) for name in shipped())]
    return {rule.id: (pack.id, rule) for pack in packs for rule in pack.rules}


def unanswerable(pack: Pack) -> list[Problem]:
    """Rules that would look at what the services never show them, and so would never object."""
    text = (
        "is asked of the text, which stays in the notifier: policy is told its labels and elements"
        " only; use `labels`, or keep a text that must not go out from being approved"
    )
    return [
        pack.origin.problem(Invalid(("rules", i, "patterns"), text), rule.id)
        for i, rule in enumerate(pack.rules)
        if isinstance(rule, ContentMustNot) and rule.patterns
    ]


def check(pack: Pack, others: Sequence[Pack], cases: str, cases_file: str) -> Checked:
    """Everything for which the draft would be refused beside the shipped packs and `others`, which
    are in force; also where only some of these are asked."""
    unheard = (*unanswerable(pack), *never_in_force(pack))
    problems = [str(problem) for problem in (*redefined(pack), *unheard)]
    if not problems:
        own = [each for each in others if each.id not in shipped()]
        try:
            compile_rules([*(load_shipped(name) for name in shipped()), *own, pack])
        except PackError as error:
            problems += [str(problem) for problem in error.problems]
    problems = problems or _apart(pack, others)
    right, wrong = _cases(pack, cases, cases_file)
    return Checked(problems=(*problems, *wrong), cases_right=right)


def _apart(pack: Pack, others: Sequence[Pack]) -> list[str]:
    """What is wrong with it in the first place where it can't be asked with the packs in force."""
    places = jurisdictions.load()
    beside = {each.id: each for each in others}
    tried = set()
    for place in jurisdictions.everywhere(places):
        there = jurisdictions.asked(places, beside, *place)
        if not there or there in tried:
            continue
        tried.add(there)
        try:
            compile_rules([*(beside[name] for name in there), pack])
        except PackError as error:
            where = f"for a borrower in {jurisdictions.named(*place)}, where packs in force are"
            fix = "define the calendar in the pack itself, under `calendars`"
            return [f"{each}; {where} {', '.join(there)}; {fix}" for each in error.problems]
    return []


def _cases(pack: Pack, cases: str, file: str) -> tuple[int, list[str]]:
    """How many come out right, and what is wrong with the others; one at least asks the draft."""
    try:
        answers = list(check_text(cases, file, {pack.id: pack}))
        asked = [case.get("packs") or () for case in _listed(cases)]
    except (UnreadableFile, Unreadable) as error:
        return 0, [str(error)]
    if not any(pack.id in packs for packs in asked):
        return 0, [f"{file}: no case asks {pack.id}; write `packs: [{pack.id}]` in one at least"]
    wrong = [str(problem) for problem in wrong_cases(answers, file)]
    return len(answers) - len(wrong), wrong


def _listed(cases: str) -> list[Mapping[str, tuple[str, ...]]]:
    whole = Document(cases).value
    listed = whole.get("cases") if isinstance(whole, Mapping) else None
    return [case for case in listed or () if isinstance(case, Mapping)]


def loosens(before: Pack, after: Pack) -> list[Loosening]:
    """In what a tenant's own new version asks less than the one before."""
    found = loosened(before.rules, after.rules)
    for each in pack_diff.diff(before, after):
        if not each.rule and each.way in (Way.LOOSER, Way.UNCLEAR):
            looser = [name for name, way in each.fields.items() if way is not Way.SAME]
            why = "of the whole pack may ask less than before"
            found += [Loosening(rule=after.id, field=name, why=why) for name in looser]
    return found
