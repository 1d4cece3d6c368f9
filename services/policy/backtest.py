"""What a draft would have changed: recorded decisions asked again under it, compared and summed.

Pure: batches of records are arguments.  What is compared is what the rules said, channel by channel
and of the reminder as a whole; the service's own refusals (paid, cancelled, stale …) asked no rule
and stay as they are.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from services.policy.replay import NotReplayable, RecordedRules, SetKey, questions_of
from services.policy.verdict import Answer, Outcome, choose, judge


class Item(NamedTuple):
    """One recorded decision, as it travels to the process that asks again.  Plain values."""

    key: SetKey
    added: tuple[str, ...]  # drafts to be added, not being in the rule set yet
    now: int  # when it was made, in seconds since 1970
    facts: str
    answers: str


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What rules say of a contact."""

    outcome: Outcome
    until: datetime | None = None
    code: str | None = None
    rule: str | None = None
    channel: str | None = None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that would be another.  `change`: "allow to defer", "later", "earlier" …"""

    change: str
    before: Said
    after: Said

    @property
    def rule(self) -> str:
        """The rule that makes the difference: the one that refuses now, or no longer does."""
        blaming = self.before if self.change == "earlier" or _allows(self.after) else self.after
        return blaming.rule or blaming.code or "?"


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one batch."""

    asked: int
    differences: tuple[tuple[int, Difference], ...] = ()  # by the index in the batch
    missing: tuple[str, ...] = ()  # why some can't be asked again


def compare(rules: RecordedRules, batch: Sequence[Item]) -> Compared:
    """Ask each decision again with the drafts in force.  Raises PackError if those don't go
    together with the packs of some decision.

    A decision the drafts can't have touched is not asked in full: its recorded answer stands.
    """

    def ask(item: Item) -> list[Difference]:
        rules.unless_further_back(item.key, item.added)
        changed, now = rules.changed(item.key, item.added), _instant(item.now)
        before, after = [], []
        for facts, old in questions_of(item.facts, item.answers):
            same = changed is not None and changed.leaves(old, facts, now)
            before.append(old)
            after.append(old if same else judge(rules.drafted(item.key, item.added), facts, now))
        return differences(choose(before), choose(after))

    return _each(batch, ask)


def verify(rules: RecordedRules, batch: Sequence[Item]) -> Compared:
    """Ask each decision again under the rules it was made under: every answer, with all reasons
    and their words, must be the recorded one."""

    def ask(item: Item) -> list[Difference]:
        recorded, now = rules.recorded(item.key), _instant(item.now)
        return [
            Difference(
                change=_change(old, new) or "other reasons", before=said_of(old), after=said_of(new)
            )
            for facts, old in questions_of(item.facts, item.answers)
            if old != (new := judge(recorded, facts, now))
        ]

    return _each(batch, ask)


def differences(before: Answer, after: Answer) -> list[Difference]:
    """One, or none."""
    change = _change(before, after)
    if change is None:
        return []
    return [Difference(change=change, before=said_of(before), after=said_of(after))]


def _each(batch: Sequence[Item], ask: Callable[[Item], list[Difference]]) -> Compared:
    found: list[tuple[int, Difference]] = []
    missing: list[str] = []
    for index, item in enumerate(batch):
        try:
            found += [(index, difference) for difference in ask(item)]
        except NotReplayable as error:
            missing.append(str(error))
    return Compared(
        asked=len(batch) - len(missing), differences=tuple(found), missing=tuple(missing)
    )


class Sums(msgspec.Struct, kw_only=True):
    """What a backtest found, in numbers."""

    decisions: int = 0  # in the range
    asked: int = 0  # asked again
    service_refusals: int = 0  # the service's own, without a rule or facts
    missing: Counter[str] = msgspec.field(default_factory=Counter)  # why, how many
    changed: int = 0
    by_change: Counter[str] = msgspec.field(default_factory=Counter)
    by_rule: dict[str, Counter[str]] = msgspec.field(default_factory=dict)  # rule → change → number
    contacts: int = 0  # outbound contacts of the range in the ledger
    contacts_illegal: int = 0  # the draft would have refused them
    contacts_illegal_before: int = 0  # of the others' contacts: refused by the rules of then, too
    contacts_reconstructed: int = 0  # judged on facts as they are known today
    contacts_by_rule: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, difference: Difference, *, contact: bool) -> None:
        """Count a decision that changes; `contact`: somebody was contacted on its strength."""
        self.changed += 1
        self.by_change[difference.change] += 1
        self.by_rule.setdefault(difference.rule, Counter())[difference.change] += 1
        if contact and not _allows(difference.after):
            self.contacts_illegal += 1
            self.contacts_by_rule[difference.rule] += 1

    def add_contact(self, difference: Difference) -> None:
        """Count a contact without a decision of ours, if the draft would have refused it."""
        if not _allows(difference.after):
            self.contacts_illegal += 1
            self.contacts_by_rule[difference.rule] += 1
            self.contacts_illegal_before += not _allows(difference.before)

    @property
    def changes(self) -> bool:
        """Would anything be different?"""
        return bool(self.changed or self.contacts_illegal > self.contacts_illegal_before)


def _change(before: Answer, after: Answer) -> str | None:
    if before.outcome is not after.outcome:
        return f"{before.outcome} to {after.outcome}"
    if before.until is None or after.until is None or before.until == after.until:
        return None
    return "later" if after.until > before.until else "earlier"


def _allows(said: Said) -> bool:
    return said.outcome is Outcome.ALLOW


def said_of(answer: Answer) -> Said:
    """An answer without its reasons."""
    return Said(
        outcome=answer.outcome,
        until=answer.until,
        code=answer.code,
        rule=answer.rule,
        channel=answer.channel,
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
