"""Recorded decisions, read back: the facts they were made on, and the rules they were made under.

`decisions.py` writes what is read here.  Pure: rows are arguments.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec

from services.policy import facts as v1
from services.policy import words
from services.policy.blocks.bars import Bar
from services.policy.blocks.localtime import seconds
from services.policy.lookback import LONGEST, look_back
from services.policy.pack import Pack, PackError, hash_of, load_text
from services.policy.question import Question
from services.policy.ruleset import RuleSet, compile_rules
from services.policy.rulesets import ALWAYS, ALWAYS_ID
from services.policy.verdict import Answer, Outcome

SetKey = tuple[str, str]  # tenant, version of a rule set
TextKey = tuple[str, str, str]  # tenant, pack id, hash of its text


class NotReplayable(Exception):
    """What the decision was made on, or under, is not kept; the text says what is missing."""


class _Duty(msgspec.Struct, frozen=True, kw_only=True):
    """A duty as JSON has it: an instant and a date are both text there."""

    kind: words.DutyKind
    since: str
    done: datetime | None = None


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one question; of a later one the contact alone, if all else is the same."""

    contact: v1.Contact
    actor: v1.Actor | None = None
    borrower: v1.Borrower | None = None
    debt: v1.Debt | None = None
    history: tuple[v1.Entry, ...] = ()
    stops: tuple[v1.Stop, ...] = ()
    consents: tuple[v1.Consent, ...] = ()
    preferences: tuple[v1.Preference, ...] = ()
    notices: tuple[v1.Notice, ...] = ()
    duties: tuple[_Duty, ...] = ()


_parts = msgspec.json.Decoder(list[_Part])
_answers = msgspec.json.Decoder(list[Answer])
_instant = msgspec.json.Decoder(datetime)


def facts_of(recorded: str | bytes) -> list[v1.Facts]:
    """The facts of each question of one decision, in the order of its answers."""
    found: list[v1.Facts] = []
    for part in _parts.decode(recorded):
        if part.actor is None or part.borrower is None or part.debt is None:
            found.append(msgspec.structs.replace(found[0], contact=part.contact))
            continue
        found.append(
            v1.Facts(
                actor=part.actor,
                borrower=part.borrower,
                debt=part.debt,
                contact=part.contact,
                history=part.history,
                stops=part.stops,
                consents=part.consents,
                preferences=part.preferences,
                notices=part.notices,
                duties=tuple(_duty(duty) for duty in part.duties) if part.duties else (),
            )
        )
    return found


def answers_of(recorded: str | bytes) -> list[Answer]:
    """What was answered to each question of one decision."""
    return _answers.decode(recorded)


def questions_of(facts: str | bytes, answers: str | bytes) -> list[tuple[v1.Facts, Answer]]:
    """Each question of one decision with its answer.  One that failed has no facts: it is left out.

    Raises NotReplayable if they don't go together.
    """
    asked = facts_of(facts)
    answered = [answer for answer in answers_of(answers) if answer.error is None]
    if len(answered) != len(asked):
        raise NotReplayable("the record has another number of answers than of facts")
    return list(zip(asked, answered, strict=True))


def undated(pack: Pack) -> Pack:
    """The pack as if it and all its rules had always been in force."""
    rules = tuple(msgspec.structs.replace(rule, effective=None) for rule in pack.rules)
    return msgspec.structs.replace(pack, effective=None, rules=rules)


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """Every rule set that decisions name, by the hashes of its packs, and the texts of those."""

    sets: Mapping[SetKey, Mapping[str, str]]
    texts: Mapping[TextKey, str]


class Changed:
    """The rules that drafts add or take away, a rule that they change being both.

    An answer that they can't have changed is known without asking all the rules there are.
    """

    def __init__(self, fresh: RuleSet, gone: RuleSet) -> None:
        self._fresh = fresh
        self._gone = gone
        self._gone_rules = {rule.id for rule in gone.rules}

    def leaves(self, answer: Answer, facts: v1.Facts, now: datetime) -> bool:
        """Is the outcome of this recorded answer, and its `until`, certainly the same?"""
        if answer.outcome is Outcome.SUPPRESS and any(
            reason.effect == "suppress"
            and reason.code != "zone_unknown"
            and reason.rule is not None
            and reason.rule not in self._gone_rules
            for reason in answer.reasons
        ):
            return True  # what suppressed it still does
        question = Question(facts, now)
        fresh = _bars(self._fresh, question)
        if answer.outcome is Outcome.ALLOW:
            # None of the rules of then blocked; does one of the new?
            return not any(bar.blocks(question.now) for bar in fresh)
        gone = _bars(self._gone, question)
        if answer.outcome is Outcome.DEFER and answer.until is not None:
            return _defers_alike(fresh, gone, question.now, seconds(answer.until))
        return not fresh and not gone


def _defers_alike(fresh: list[Bar], gone: list[Bar], now: int, until: int) -> bool:
    """Whatever the rules that stay say: they block at no hour for good, and not at `until`."""
    for bar in fresh:
        if bar.blocks(until) or (bar.blocks(now) and not bar.objection(now).curable):
            return False
    if not gone:
        return True  # those that stay block until then, as they did
    t = now
    while t < until:  # else the new ones have to
        blocking = [bar.changes(t) for bar in fresh if bar.blocks(t)]
        if not blocking:
            return False
        t = max(blocking)
    return True


class RecordedRules:
    """The rule sets decisions were made under, compiled again; and the same with drafts in them."""

    def __init__(self, shelf: Shelf, drafts: Sequence[Pack] = ()) -> None:
        self._shelf = shelf
        self._drafts = {draft.id: draft for draft in drafts}
        self._always = ALWAYS.read_text(encoding="utf-8")
        self._always_version = hash_of(self._always)
        self._packs: dict[TextKey, Pack] = {}
        self._compiled: dict[tuple[object, ...], RuleSet] = {}
        self._backs: dict[tuple[object, ...], tuple[timedelta, timedelta]] = {}
        self._changed: dict[tuple[object, ...], Changed | None] = {}

    def recorded(self, key: SetKey) -> RuleSet:
        """The very rule set: same content, same version.  Raises NotReplayable."""
        found = self._compiled.get(key)
        if found is None:
            found = compile_rules(self._contents(key).values())
            if found.version != key[1]:
                raise NotReplayable(
                    "its packs are kept, but compile to another version: a release since reads"
                    " them otherwise"
                )
            self._compiled[key] = found
        return found

    def drafted(self, key: SetKey, added: tuple[str, ...]) -> RuleSet:
        """The rule set with each draft in the place of the pack of its id, and with those drafts
        added that are named.  Raises NotReplayable, PackError if they don't go together.
        """
        found = self._compiled.get((*key, added))
        if found is None:
            packs = self._contents(key)
            for draft in self._drafts.values():
                if draft.id in packs or draft.id in added:
                    packs[draft.id] = draft
            found = compile_rules(packs.values())
            self._compiled[(*key, added)] = found
        return found

    def unless_further_back(self, key: SetKey, added: tuple[str, ...]) -> None:
        """Raises NotReplayable where the drafts count further back than the facts were read."""
        where = (*key, added)
        if where not in self._backs:
            packs = self._contents(key)
            asked = [d for i, d in self._drafts.items() if i in packs or i in added]
            self._backs[where] = look_back(packs.values()), look_back(asked)
        had, wanted = self._backs[where]
        if wanted > had and wanted == LONGEST:
            raise NotReplayable(
                f"the draft counts contacts of any age, its facts hold {had.days} days"
            )
        if wanted > had:
            raise NotReplayable(
                f"the draft counts {wanted.days} days back, its facts hold {had.days}"
            )

    def changed(self, key: SetKey, added: tuple[str, ...]) -> "Changed | None":
        """What the drafts change in the rule set; None: possibly everything (other holidays).

        Raises NotReplayable, PackError.
        """
        where = (*key, added)
        if where not in self._changed:
            packs = self._contents(key)
            taking_part = {i: d for i, d in self._drafts.items() if i in packs or i in added}
            before = compile_rules(packs.values())
            self._changed[where] = change_of(packs, taking_part, before, self.drafted(key, added))
        return self._changed[where]

    def _contents(self, key: SetKey) -> dict[str, Pack]:
        """By id, what is asked of everybody among them."""
        named = self._shelf.sets.get(key)
        if named is None:
            raise NotReplayable("its rule set is not in the table rule_sets")
        return {pack: self._pack((key[0], pack, version)) for pack, version in named.items()}

    def _pack(self, key: TextKey) -> Pack:
        found = self._packs.get(key)
        if found is None:
            text = self._shelf.texts.get(key)
            if text is None and key[1:] == (ALWAYS_ID, self._always_version):
                text = self._always  # of a set that nothing was decided under yet
            if text is None:
                raise NotReplayable(f"the text of {key[1]} ({key[2][:12]}) is not kept")
            try:
                found = self._packs[key] = load_text(text, f"{key[1]}.yaml")
            except PackError as error:
                raise NotReplayable(f"{key[1]} can no longer be read: {error}") from error
        return found


def change_of(
    packs: Mapping[str, Pack], drafts: Mapping[str, Pack], before: RuleSet, after: RuleSet
) -> Changed | None:
    """What drafts change that take the place of the packs of their ids, or are added; `before` and
    `after` are the rule sets without and with them.  None: possibly everything.
    """
    same: set[str] = set()
    for draft in drafts.values():
        old = packs.get(draft.id)
        if draft.calendars != (old.calendars if old else {}):
            return None  # rules of other packs may name its calendars, too
        if old is not None and old.effective == draft.effective:
            same.update(rule.id for rule in draft.rules if rule in old.rules)

    def others(rules: RuleSet) -> RuleSet:
        found = [r for r in rules.rules if r.pack in drafts and r.id not in same and r.blocks]
        return RuleSet((), tuple(found), "")

    return Changed(others(after), others(before))


def _bars(rules: RuleSet, question: Question) -> list[Bar]:
    """What these rules could have against the contact, at whatever hour."""
    return [bar for rule in rules.applying(question) if (bar := rule.bar(question)) is not None]


def _duty(duty: _Duty) -> v1.Duty:
    since: datetime | date
    if len(duty.since) == len("2026-05-12"):
        since = date.fromisoformat(duty.since)
    else:
        since = _instant.decode(msgspec.json.encode(duty.since))
    return v1.Duty(kind=duty.kind, since=since, done=duty.done)
