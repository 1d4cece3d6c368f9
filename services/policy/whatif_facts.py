"""The questions of a dry run: a borrower's facts from policy's database, or those of a file."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import click
import msgspec

from services.events.words import Stage
from services.policy import activation, backtest_run, jurisdictions, known
from services.policy.asked import Asked, terms_of
from services.policy.backtest_run import SQL
from services.policy.facts import Facts, FactsError
from services.policy.gather import facts_for, no_point
from services.policy.given_facts import facts_from
from services.policy.known import Row
from services.policy.lookback import LONGEST
from services.policy.pack import Pack, load_text
from services.policy.replay import RecordedRules, Shelf
from services.policy.ruleset import RuleSet, compile_rules
from services.policy.rulesets import ALWAYS, Active, RuleSets, RulesUnreadable
from services.policy.strict import Invalid, read_instant
from services.policy.whatif import Change
from services.policy.words import BASES, Channel
from services.policy.yamlfile import Document, Unreadable
from services.runtime.clock import gate_now
from services.runtime.database import Connection

DEFAULT_RANGE = timedelta(days=7)


class Question(NamedTuple):
    """One channel at one contact point."""

    channel: str
    contact_point: str | None
    facts: Facts


class DryRun(NamedTuple):
    """What is asked, under which rules, from when on (None: from now on); and where other packs
    are in force `later` in the range, under which then.
    """

    questions: list[Question]
    rules: RuleSet | None
    start: datetime | None
    later: tuple[Change, ...] = ()


class Whose(NamedTuple):
    """The borrower, and which of their loans; None: the first that is due."""

    tenant: str
    borrower_id: UUID
    loan: str | None


def rules_of(packs: Sequence[Pack], drafts: Sequence[Pack]) -> RuleSet:
    """These packs, each draft in the place of the pack of its id or added, and what is always
    asked.  Raises PackError.
    """
    together = {pack.id: pack for pack in (*packs, *drafts)}
    always = load_text(ALWAYS.read_text(encoding="utf-8"), ALWAYS.name)
    return compile_rules([always, *together.values()])


def from_file(path: Path, channels: Sequence[Channel], rules: RuleSet) -> DryRun:
    """Facts v1 as YAML, as a case has them; `now`, where given, is the start."""
    try:
        given = Document(path.read_text(encoding="utf-8")).value
        facts_given = given.get("facts", given) if isinstance(given, Mapping) else None
        if not isinstance(facts_given, Mapping):
            raise click.ClickException(f"{path} is no map of facts (facts v1)")
        now = facts_given.get("now")
        start = None if now is None else read_instant(now, ("now",))
        facts = facts_from(facts_given)
    except (OSError, UnicodeDecodeError, Unreadable, FactsError, Invalid) as error:
        raise click.ClickException(f"{path}: {error}") from error
    point = facts.contact.contact_point.id
    asked = [
        Question(channel, point, _on(facts, channel))
        for channel in channels or (facts.contact.channel,)
    ]
    return DryRun(asked, rules, start)


async def from_database(
    connection: Connection,
    whose: Whose,
    channels: Sequence[Channel],
    start: datetime | None,
    end: datetime | None,
    packs: Sequence[Pack],
    drafts: Sequence[Pack],
) -> DryRun:
    """What policy knows of the borrower today.  No `packs`: those in force, or scheduled, at each
    time of the range.
    """
    tenant, borrower_id, _ = whose
    now = (await gate_now(connection)).replace(microsecond=0)
    begins = start or now
    facts = await known.load(
        connection, max(now, begins), [(tenant, borrower_id)], (), back=LONGEST
    )
    borrower = facts.borrowers.get((tenant, borrower_id))
    if borrower is None:
        raise click.ClickException(f"policy knows no such borrower of {tenant}")
    first, *later = (
        [Change(begins, rules_of(packs, drafts))]
        if packs
        else await _in_force(
            connection, tenant, borrower, begins, end or begins + DEFAULT_RANGE, drafts
        )
    )
    debt = await _debt(connection, whose)
    asked = _asked(whose, debt, _today(borrower, begins))
    points = [point for point in facts.points.get((tenant, borrower_id), ()) if point["usable"]]
    wanted = channels or tuple(dict.fromkeys(c for point in points for c in point["channels"]))
    if not wanted:
        raise click.ClickException("this borrower has no usable contact point; name a --channel")
    questions = []
    for channel in wanted:
        there = [point for point in points if channel in point["channels"]]
        for point in there or [no_point()]:
            question = facts_for(facts, asked, channel, point)
            questions.append(Question(channel, point["contact_point_id"], question))
    return DryRun(questions, first.rules, begins, tuple(later))


async def _in_force(
    connection: Connection,
    tenant: str,
    borrower: Row,
    start: datetime,
    end: datetime,
    drafts: Sequence[Pack],
) -> list[Change]:
    """The rules at the start, and each time that the borrower comes under others before the end."""
    rule_sets = RuleSets(jurisdictions.load())
    at_second: dict[datetime, RuleSet | None] = {}  # of several changes in one, the last
    for row in await connection.fetch(activation.SQL["changes"], tenant, start):
        if row["at"] < max(end, start + timedelta(seconds=1)):
            active = await activation.active(connection, rule_sets, [tenant], row["at"])
            rules = _asked_there(rule_sets, borrower, active.get(tenant, ()))
            at_second[row["at"].replace(microsecond=0)] = rules
    if not any(at_second.values()):
        raise click.ClickException(
            "no pack of the borrower's place is active: whatever is due is held (held_pack)."
            " Name some with --packs to see what they would say"
        )
    if drafts:
        kept = await backtest_run.shelf(connection, tenant)
        for at, rules in at_second.items():
            at_second[at] = rules and _tried(rule_sets, tenant, rules, kept, drafts)
    found: list[Change] = []
    for at, rules in at_second.items():
        if not found or _version(rules) != _version(found[-1].rules):
            found.append(Change(at, rules))
    return found


def _asked_there(rule_sets: RuleSets, borrower: Row, active: Active) -> RuleSet | None:
    try:
        return rule_sets.for_borrower(borrower, active)
    except RulesUnreadable as error:
        raise click.ClickException(f"the packs in force can't be read: {error}") from error


def _tried(
    rule_sets: RuleSets, tenant: str, rules: RuleSet, kept: Shelf, drafts: Sequence[Pack]
) -> RuleSet:
    """These rules with the drafts among them."""
    key = (tenant, rules.version)
    sets = {**kept.sets, key: rule_sets.contents(rules.version)}
    tried = RecordedRules(Shelf(sets=sets, texts=kept.texts), drafts)
    return tried.drafted(key, tuple(draft.id for draft in drafts))


def _version(rules: RuleSet | None) -> str | None:
    return rules.version if rules else None


async def _debt(connection: Connection, whose: Whose) -> Row:
    """The first installment that is owed, of the loan asked for or of all."""
    rows = await connection.fetch(SQL["debts_of_borrower"], whose.tenant, whose.borrower_id)
    loans = list(dict.fromkeys(row["loan_id"] for row in rows))
    for row in rows:
        if whose.loan in (None, row["loan_id"]):
            return row
    said = f"; their loans are: {', '.join(loans)}" if loans else ""
    raise click.ClickException(f"policy knows no such debt of this borrower{said}")


def _today(borrower: Row, at: datetime) -> date:
    zones = borrower["zones"]
    return at.astimezone(ZoneInfo(zones[0]) if zones else UTC).date()


def _asked(whose: Whose, debt: Row, today: date) -> Asked:
    late = (today - debt["due_date"]).days
    return Asked(
        tenant=whose.tenant,
        reminder_id=UUID(int=0),
        emission=0,
        borrower_id=whose.borrower_id,
        loan_id=debt["loan_id"],
        installment_number=debt["installment_number"],
        stage=Stage.UPCOMING if late < 0 else Stage.DUE if late == 0 else Stage.OVERDUE,
        days_from_due=late,
        days_past_due=max(late, 0),
        terms=terms_of(debt),
        outstanding_minor=debt["outstanding_minor"],
    )


def _on(facts: Facts, channel: Channel) -> Facts:
    contact = msgspec.structs.replace(facts.contact, channel=channel)
    return msgspec.structs.replace(facts, contact=contact)


def zone_shown(facts: Facts) -> str:
    """The zone whose clock a person is shown: the borrower's, by the best evidence; else UTC."""
    ranked = sorted(facts.borrower.zones, key=lambda candidate: BASES.index(candidate.basis))
    return ranked[0].zone if ranked else "UTC"
