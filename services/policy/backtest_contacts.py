"""Contacts no decision of ours stands behind (a dialer's, an agency's), judged as of their instant.

Their facts are put together from what is known today: what was recorded then of the debt's balance
and of days past due is not kept, so those are unknown, and unknown never loosens.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, get_args

import msgspec

from services.events.words import Stage
from services.policy import facts as v1
from services.policy import jurisdictions, known, words
from services.policy.asked import Asked, terms_of
from services.policy.backtest import Difference, said_of
from services.policy.backtest_run import BATCH, SQL, Items, Plan, packs_of
from services.policy.gather import facts_for, no_point
from services.policy.known import Known, Row
from services.policy.lookback import LONGEST
from services.policy.replay import NotReplayable, RecordedRules, SetKey, Shelf
from services.policy.rulesets import RuleSets, RulesUnreadable
from services.policy.verdict import Answer, Outcome, judge
from services.runtime.database import Connection

# Facts are loaded once for contacts that lie this close together, and all that is older in the
# ledger with them, however far back the rules count.
TOGETHER = timedelta(days=14)
RECIPIENTS = frozenset(get_args(words.Recipient))


class Contacted(NamedTuple):
    """One contact, and what the rules of then and the drafts say of it."""

    row: Row
    before: Answer | None  # None: no rules of then can be told
    after: Answer | None
    missing: str = ""

    def difference(self) -> Difference | None:
        """None if the draft would have allowed it, or nothing can be told."""
        if self.before is None or self.after is None or self.after.outcome is Outcome.ALLOW:
            return None
        change = f"{self.before.outcome} to {self.after.outcome}"
        return Difference(change=change, before=said_of(self.before), after=said_of(self.after))


async def other_contacts(
    connection: Connection, plan: Plan, kept: Shelf
) -> AsyncIterator[list[Contacted]]:
    """Every outbound contact of the range without a yes of ours, oldest first, in batches."""
    judging = _Judging(kept, plan, await connection.fetch(SQL["activations"], plan.tenant))
    cursor = await connection.cursor(SQL["other_contacts"], plan.start, plan.end, plan.tenant)
    while rows := await cursor.fetch(BATCH):
        while rows:
            together = [row for row in rows if row["at"] < rows[0]["at"] + TOGETHER]
            rows = rows[len(together) :]
            yield await judging.judge(connection, together)


class _Judging:
    def __init__(self, kept: Shelf, plan: Plan, activations: Sequence[Row]) -> None:
        self._sets = dict(kept.sets)
        self._items = Items(Shelf(sets=self._sets, texts=kept.texts), packs_of(plan))
        self._drafted = RecordedRules(Shelf(sets=self._sets, texts=kept.texts), packs_of(plan))
        self._rule_sets = RuleSets(jurisdictions.load())
        for (_, pack, version), text in kept.texts.items():
            self._rule_sets.give((pack, version), text)
        self._activations = activations

    async def judge(self, connection: Connection, rows: Sequence[Row]) -> list[Contacted]:
        # Just after the last: what came later can be told from what came at the same instant.
        facts = await known.load(
            connection,
            rows[-1]["at"] + timedelta(seconds=1),
            ((row["tenant"], row["borrower_id"]) for row in rows),
            (),
            back=LONGEST,
            own=frozenset(row["contact_id"] for row in rows),
        )
        loans = [(row["tenant"], row["loan_id"]) for row in rows if row["loan_id"]]
        debts = {
            (row["tenant"], row["loan_id"]): row
            for row in await connection.fetch(
                SQL["debts_of_loans"], [t for t, _ in loans], [loan for _, loan in loans]
            )
        }
        return [self._one(facts, row, debts.get((row["tenant"], row["loan_id"]))) for row in rows]

    def _one(self, facts: Known, row: Row, debt: Row | None) -> Contacted:
        borrower = facts.borrowers.get((row["tenant"], row["borrower_id"]))
        if borrower is None:
            return Contacted(row, None, None, "the borrower is not known")
        try:
            then = self._rule_sets.for_borrower(borrower, self._active(row["tenant"], row["at"]))
        except RulesUnreadable as error:
            return Contacted(row, None, None, f"the packs of then can't be read: {error}")
        if then is None:
            return Contacted(row, None, None, "no pack of the borrower's place was active")
        contents = self._rule_sets.contents(then.version)
        self._sets.setdefault((row["tenant"], then.version), contents)
        key: SetKey
        key, added = self._items.which(borrower, then.version)
        question = _facts(facts, row, debt)
        try:
            after = judge(self._drafted.drafted(key, added), question, row["at"])
        except NotReplayable as error:
            return Contacted(row, None, None, str(error))
        return Contacted(row, judge(then, question, row["at"]), after)

    def _active(self, tenant: str, at: datetime) -> tuple[tuple[str, str], ...]:
        """What was active at an instant: of a pack's versions the latest to begin."""
        found: dict[str, str] = {}
        for row in self._activations:
            ended = row["ended_at"]
            if row["tenant"] == tenant and row["active_from"] <= at and (not ended or ended > at):
                found[row["pack"]] = row["version"]
        return tuple(found.items())


def _facts(facts: Known, row: Row, debt: Row | None) -> v1.Facts:
    more = msgspec.json.decode(row["more"]) if row["more"] else {}
    asked = Asked(
        tenant=row["tenant"],
        reminder_id=row["contact_id"],
        emission=0,
        borrower_id=row["borrower_id"],
        loan_id=row["loan_id"] or "unknown",
        installment_number=0,
        stage=Stage.OVERDUE,
        days_from_due=1,
        days_past_due=1,
        terms=msgspec.structs.replace(
            terms_of(debt), account=row["account"], creditor=row["creditor"]
        ),
        outstanding_minor=1,
    )
    where = row["contact_point_id"]
    point = next(
        (
            dict(found)
            for found in facts.points.get((row["tenant"], row["borrower_id"]), ())
            if found["contact_point_id"] == where
        ),
        no_point(where),
    )
    built = facts_for(facts, asked, row["channel"], point)
    person = more.get("person", "debtor")
    contact = msgspec.structs.replace(
        built.contact,
        purpose=row["purpose"] or "collection",
        recipient=person if person in RECIPIENTS else "third_party",
        person=person,
        class_=more.get("class", "ordinary"),
        technology=more.get("technology"),
        event=more.get("event"),
        contact_point=msgspec.structs.replace(
            built.contact.contact_point, place=more.get("place", "personal")
        ),
    )
    own = str(row["contact_id"])
    return msgspec.structs.replace(
        built,
        actor=v1.Actor(role=built.actor.role, id=more.get("collector", "us")),
        # What is due and for how long is known of today only.
        debt=msgspec.structs.replace(built.debt, stage=None, days_past_due=None, balance=None),
        contact=contact,
        history=tuple(entry for entry in built.history if entry.id != own),
    )
