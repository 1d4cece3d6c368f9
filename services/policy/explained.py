"""A recorded decision with every rule that was asked, and in words.

Pure: the facts were recorded and the rules are named by their version, so asking again costs the
decisions themselves nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.policy.became import Became, became
from services.policy.facts import Facts
from services.policy.replay import NotReplayable, answers_of, facts_of, questions_of
from services.policy.ruleset import RuleSet
from services.policy.rulesets import ALWAYS_ID
from services.policy.sentences import Speaker
from services.policy.trace import Heard, packs_of, trace
from services.policy.verdict import Answer, Outcome, judge


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One channel at one contact point, and what each rule said of it."""

    channel: str
    contact_point: str
    same: bool  # asked again, the rules answer what is recorded
    rules: tuple[Heard, ...]


class UsedPack(msgspec.Struct, frozen=True, kw_only=True):
    """A pack of the rule set: `version` is the hash of its text, `status` draft until reviewed."""

    pack: str
    title: str
    jurisdiction: str
    status: str
    version: str | None  # None: the record names none


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What is added to the record of a decision."""

    next_permitted_at: datetime | None  # of an allow, its own instant; None: waiting cures nothing
    questions: tuple[Question, ...]
    used_packs: tuple[UsedPack, ...]
    contact: Became | None  # what became of it; None: none was to follow
    not_replayable: str | None  # why the rules can't be asked again
    words: dict[str, Any]  # language, lines


def explained(row: Mapping[str, Any], rules: RuleSet | NotReplayable, language: str) -> Explained:
    """The record `row` of the table decisions, with its facts and packs as JSON text, explained."""
    answers = answers_of(row["answers"])
    facts = facts_of(row["facts"]) if row["facts"] else []
    questions: tuple[Question, ...] = ()
    why: str | None = None
    try:
        if isinstance(rules, NotReplayable):
            raise rules
        questions = _questions(row, rules)
    except NotReplayable as missing:
        why = str(missing)
    packs = () if isinstance(rules, NotReplayable) else _packs(row, rules)
    lines = _lines(row, answers, facts, questions, packs, why, language)
    return Explained(
        next_permitted_at=row["decided_at"] if row["verdict"] == Outcome.ALLOW else row["until"],
        questions=questions,
        used_packs=packs,
        contact=became(row),
        not_replayable=why,
        words={"language": language, "lines": lines},
    )


def _questions(row: Mapping[str, Any], rules: RuleSet) -> tuple[Question, ...]:
    if not row["facts"]:
        return ()
    now = row["decided_at"]
    return tuple(
        Question(
            channel=answer.channel,
            contact_point=answer.contact_point,
            same=_same(judge(rules, facts, now), answer),
            rules=tuple(trace(rules, facts, now)),
        )
        for facts, answer in questions_of(row["facts"], row["answers"])
    )


def _same(again: Answer, recorded: Answer) -> bool:
    return (again.outcome, again.until, again.code, again.rule) == (
        recorded.outcome,
        recorded.until,
        recorded.code,
        recorded.rule,
    )


def _packs(row: Mapping[str, Any], rules: RuleSet) -> tuple[UsedPack, ...]:
    versions = msgspec.json.decode(row["packs"], type=dict[str, str]) if row["packs"] else {}
    return tuple(
        UsedPack(
            pack=pack.id,
            title=pack.title,
            jurisdiction=pack.jurisdiction,
            status=pack.status,
            version=versions.get(pack.id),
        )
        for pack in packs_of(rules).values()
    )


def _lines(
    row: Mapping[str, Any],
    answers: Sequence[Answer],
    facts: Sequence[Facts],
    questions: Sequence[Question],
    packs: Sequence[UsedPack],
    why: str | None,
    language: str,
) -> list[str]:
    speaker = Speaker(language, _zones(row, facts))
    lines = [_asked(row, speaker), _verdict(row, answers, speaker)]
    if (after := became(row)) is not None:
        lines.append(_became(after, speaker))
    said = {reason.code for answer in answers for reason in answer.reasons}
    if row["code"] and row["code"] not in said:
        lines.append(speaker.say("why", reason=speaker.reason(row["code"])))
    titles = {heard.rule: heard.title for question in questions for heard in question.rules}
    for answer in answers:
        lines += speaker.objections(answer, titles)
    lines += [speaker.counted(question.channel, question.rules) for question in questions]
    if not answers:
        lines.append(speaker.say("no_rules"))
    if any(not question.same for question in questions):
        lines.append(speaker.say("different"))
    if why is not None:
        lines.append(speaker.say("not_replayable", why=why))
    if packs:
        names = speaker.quoted([pack.title for pack in packs])
        lines.append(speaker.say("packs", packs=names, version=row["rule_set"][:12]))
    drafts = [pack for pack in packs if pack.status == "draft"]
    if chosen := [pack.title for pack in drafts if pack.pack != ALWAYS_ID]:
        lines.append(speaker.say("draft", packs=speaker.quoted(chosen)))
    if ours := [pack.title for pack in drafts if pack.pack == ALWAYS_ID]:
        lines.append(speaker.say("draft_always", packs=speaker.quoted(ours)))
    if row["repeats"]:
        last = speaker.when(row["last_at"])
        lines.append(speaker.say("repeats", repeats=row["repeats"], last=last))
    return lines


def _zones(row: Mapping[str, Any], facts: Sequence[Facts]) -> list[str] | None:
    """None where zones had no part in it: a decision without facts may be held for its pack."""
    if facts:
        return [zone.zone for zone in facts[0].borrower.zones]
    return [] if row["code"] == "held_zone" else None


def _asked(row: Mapping[str, Any], speaker: Speaker) -> str:
    redeemed_clearance = row["checkpoint"] == "redeem" and row["emission"] == 0
    return speaker.say(
        "asked",
        "clearance_redeem" if redeemed_clearance else row["checkpoint"],
        at=speaker.when(row["decided_at"]),
        installment=row["installment_number"],
        loan=row["loan_id"],
        recipient=speaker.recipient(row["recipient"] or "debtor"),
    )


def _became(after: Became, speaker: Speaker) -> str:
    if after.state is not None and after.at is not None:
        return speaker.say("attempt", after.state, at=speaker.when(after.at))
    return speaker.say("became", after.outcome or "nothing")


def _verdict(row: Mapping[str, Any], answers: Sequence[Answer], speaker: Speaker) -> str:
    allowed = [speaker.channel(a.channel) for a in answers if a.outcome is Outcome.ALLOW]
    until = speaker.when(row["until"]) if row["until"] else ""
    channels = speaker.several(list(dict.fromkeys(allowed)))
    return speaker.say("verdict", row["verdict"], channels=channels, until=until)
