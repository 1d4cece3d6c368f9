"""What is wrong with pack files, and what a reviewer would ask: errors and advice."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path as File

from services.policy.check import UnreadableFile, check_text
from services.policy.loosening import loosened
from services.policy.pack import Pack, PackError, Problem, load_shipped, load_text, shipped
from services.policy.rule import Effective
from services.policy.ruleset import compile_rules
from services.policy.strict import Invalid, Path
from services.policy.wrong_cases import wrong_cases

SHIPPED = File(str(files("services.policy"))) / "packs"


def read_pack(path: File) -> Pack:
    """The pack in a file.  Raises PackError, also for a file that can't be read."""
    try:
        return load_text(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        text = getattr(error, "strerror", None) or "is not text in UTF-8; save it as UTF-8"
        raise PackError(Problem(str(path), 1, "", "", text)) from error


def errors(paths: Sequence[File]) -> tuple[list[Pack], list[Problem]]:
    """The packs that can be read, and everything for which a file would be refused.

    Each file is compiled with the other files and the shipped packs, as it would be asked: ids are
    used once over all, calendars are found in any.
    """
    packs: list[Pack] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            pack = read_pack(path)
        except PackError as error:
            problems += error.problems
            continue
        packs.append(pack)
        problems += never_in_force(pack)
        if path.name != f"{pack.id}.yaml":
            text = f"is {pack.id!r}, must be {path.stem!r} as the file's name says"
            problems.append(pack.origin.problem(Invalid(("pack",), text)))
    given = {pack.id for pack in packs}
    others = [found for name in shipped() if name not in given for found in _shipped(name)]
    try:
        compile_rules([*others, *packs])
    except PackError as error:
        mine = {str(path) for path in paths}
        problems += [each for each in error.problems if each.file in mine]
        problems += _redefined(packs, others)
    return packs, problems


def _shipped(name: str) -> list[Pack]:
    try:
        return [load_shipped(name)]
    except PackError:
        return []  # its own lint says what is wrong with it


def _redefined(packs: Iterable[Pack], others: Iterable[Pack]) -> list[Problem]:
    """Where a rule has the id of a shipped one and asks less: the rule that forbids it."""
    known = {rule.id: (pack, rule) for pack in others for rule in pack.rules}
    found: list[Problem] = []
    for pack in packs:
        for i, rule in enumerate(pack.rules):
            if rule.id not in known:
                continue
            owner, base = known[rule.id]
            for each in loosened([base], [rule]):
                text = f"loosens {base.id} of the shipped pack {owner.id}: {each.why}"
                path: Path = ("rules", i, each.field) if each.field else ("rules", i)
                found.append(pack.origin.problem(Invalid(path, text), rule.id))
    return found


def never_in_force(pack: Pack) -> list[Problem]:
    """Dates that are swapped: the rule, or the whole pack, would never object.

    They can be read, and then on no day apply; a pack of long ago must go on being read.
    """
    places: list[tuple[Effective | None, Path, str]] = [(pack.effective, (), "")]
    places += [(rule.effective, ("rules", i), rule.id) for i, rule in enumerate(pack.rules)]
    found: list[Problem] = []
    for dates, path, rule_id in places:
        if dates and dates.from_ and dates.to and dates.to < dates.from_:
            text = (
                f"ends on {dates.to} before it begins on {dates.from_}, and is never in force;"
                " swap them"
            )
            found.append(pack.origin.problem(Invalid((*path, "effective"), text), rule_id))
    return found


def advice(pack: Pack, today: date) -> list[Problem]:
    """What does not stop the pack, but a reviewer would ask about."""
    found: list[Problem] = []

    def say(text: str, *path: str | int, rule: str = "") -> None:
        found.append(pack.origin.problem(Invalid(path, text), rule))

    for name, calendar in pack.calendars.items():
        last = date(max(calendar.covers), 12, 31)
        if (last - today).days < 365:
            text = f"ends on {last}; enter the next year, or its days will be closed as unknown"
            say(text, "calendars", name, "covers")
    for i, rule in enumerate(pack.rules):
        here = ("rules", i)
        if not rule.id.startswith(f"{pack.id}-"):
            text = f"by habit it begins with the pack: {pack.id}-{rule.id}"
            say(text, *here, "id", rule=rule.id)
        if not rule.title:
            say("is missing; say in one line what the rule is about", *here, "title", rule=rule.id)
        if rule.confidence is None:
            say("is missing; write high, medium or low", *here, "confidence", rule=rule.id)
        for j, cite in enumerate(rule.cite):
            if not any(c.isdigit() for c in cite) and not _house(cite):
                text = f"{cite!r} names no paragraph; cite the article or section"
                say(text, *here, "cite", j, rule=rule.id)
        if not rule.cite:
            say("is empty; cite the paragraph", *here, "cite", rule=rule.id)
        if rule.effective and rule.effective.to and rule.effective.to < today:
            text = f"ended on {rule.effective.to}; keep it only to explain old decisions"
            say(text, *here, "effective", "to", rule=rule.id)
    if pack.effective and pack.effective.to and pack.effective.to < today:
        say(f"ended on {pack.effective.to}", "effective", "to")
    return found


def _house(cite: str) -> bool:
    """A lender's own rule has no paragraph."""
    return any(word in cite.casefold() for word in ("house", "lender", "own", "internal"))


def cases_of(path: File) -> File | None:
    """The cases beside a pack's file: `cases/NAME.yaml`, as shipped packs have them, or
    `NAME.cases.yaml`."""
    places = (path.parent / "cases" / path.name, path.with_suffix(".cases.yaml"))
    return next((place for place in places if place.is_file()), None)


def cases_advice(pack: Pack) -> list[Problem]:
    """Whether a pack has cases at all."""
    path = File(pack.origin.file)
    if cases_of(path) is not None:
        return []
    add = path.parent / "cases" / path.name
    if path.resolve().parent != SHIPPED.resolve():
        add = path.with_suffix(".cases.yaml")
    return [Problem(str(path), 1, "", "", f"has no cases; add {add}, one at least for each rule")]


def case_errors(packs: Sequence[Pack]) -> list[Problem]:
    """The cases beside these packs that don't come out right; each may name any of the packs.

    For such a case a draft would not pass its check.
    """
    drafts = {pack.id: pack for pack in packs}
    found: list[Problem] = []
    for pack in packs:
        cases = cases_of(File(pack.origin.file))
        if cases is not None:
            found += _wrong(cases, drafts)
    return found


def _wrong(cases: File, drafts: Mapping[str, Pack]) -> list[Problem]:
    try:
        answers = list(check_text(cases.read_text(encoding="utf-8"), str(cases), drafts))
    except (OSError, UnicodeDecodeError, UnreadableFile) as error:
        return [Problem(str(cases), 1, "", "", str(error))]
    return wrong_cases(answers, str(cases))
