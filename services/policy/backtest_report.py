"""What a backtest found, as lines of JSON for machines or tables for people."""

from collections import Counter
from datetime import datetime

import click
import msgspec
from rich.console import Console
from rich.table import Table

from services.policy.backtest import Difference, Said, Sums
from services.policy.known import Row
from services.policy.verdict import Outcome


class Report:
    """Told of each change as it is found; keeps no more of them than it will show."""

    def __init__(self, *, show: int, as_json: bool, verify: bool) -> None:
        self._show = show
        self._as_json = as_json
        self._verify = verify
        self._shown: list[tuple[Row, Difference, str]] = []

    def decision(self, row: Row, difference: Difference) -> None:
        """A recorded decision that would be another."""
        if self._as_json:
            click.echo(msgspec.json.encode(_line("decision", row, difference)))
        elif len(self._shown) < self._show:
            self._shown.append((row, difference, "contacted" if row["contact_id"] else ""))

    def contact(self, row: Row, difference: Difference) -> None:
        """A contact without a decision of ours that the draft would have refused."""
        if self._as_json:
            click.echo(msgspec.json.encode(_line("contact", row, difference)))
        elif len(self._shown) < self._show:
            before = "contacted" if difference.before.outcome is Outcome.ALLOW else "illegal before"
            self._shown.append((row, difference, before))

    def end(self, sums: Sums) -> None:
        """The sums: the last line of JSON, or tables and sentences."""
        if self._as_json:
            click.echo(msgspec.json.encode({"type": "sums", **msgspec.to_builtins(sums)}))
            return
        console = Console(width=None if Console().is_terminal else 140, highlight=False)
        if self._shown:
            console.print(self._changes(sums))
        if sums.by_rule:
            console.print(_by_rule(sums))
        if sums.contacts_by_rule:
            console.print(_contacts(sums.contacts_by_rule))
        for sentence in _sentences(sums, verify=self._verify):
            click.echo(sentence)

    def _changes(self, sums: Sums) -> Table:
        table = Table(box=None, header_style="bold", title_justify="left")
        for column in (
            "when (UTC)",
            "tenant",
            "decision",
            "channel",
            "was",
            "would be",
            "rule",
            "",
        ):
            # An id is copied into the next command: it stays in one piece.
            table.add_column(column, overflow="fold", no_wrap=column == "decision")
        for row, difference, note in sorted(self._shown, key=lambda each: _at(each[0])):
            name = row["decision_id"] if "decision_id" in row else row["contact_id"]
            table.add_row(
                f"{_at(row):%Y-%m-%d %H:%M:%S}",
                row["tenant"],
                str(name),
                difference.after.channel,
                _words(difference.before),
                _words(difference.after),
                difference.rule,
                note,
            )
        all_of_them = sums.changed + sums.contacts_illegal
        if all_of_them > len(self._shown):
            table.caption = "the first found; --show N lists more, --json all"
        return table


def _line(kind: str, row: Row, difference: Difference) -> dict[str, object]:
    found: dict[str, object] = {
        "type": kind,
        "tenant": row["tenant"],
        "at": _at(row),
        "borrower_id": row["borrower_id"],
    }
    if kind == "decision":
        found |= {name: row[name] for name in ("decision_id", "checkpoint", "reminder_id")}
    return found | {
        "contact_id": row["contact_id"],
        "change": difference.change,
        "rule": difference.rule,
        "before": difference.before,
        "after": difference.after,
    }


def _at(row: Row) -> datetime:
    at: datetime = row["decided_at"] if "decided_at" in row else row["at"]
    return at


def _words(said: Said) -> str:
    until = f" {said.until:%m-%d %H:%M:%S}" if said.until else ""
    return f"{said.outcome}{until}" + (f" ({said.code})" if said.code else "")


def _by_rule(sums: Sums) -> Table:
    table = Table(box=None, header_style="bold", title="Decisions that change, by rule")
    table.add_column("rule")
    changes = [change for change, _ in sums.by_change.most_common()]
    for change in changes:
        table.add_column(change, justify="right")
    for rule, counts in sorted(sums.by_rule.items(), key=lambda each: -each[1].total()):
        table.add_row(rule, *(f"{counts[change]:,}" for change in changes))
    table.add_row("in all", *(f"{sums.by_change[change]:,}" for change in changes), style="bold")
    return table


def _contacts(by_rule: Counter[str]) -> Table:
    table = Table(box=None, header_style="bold", title="Contacts the draft would have refused")
    table.add_column("rule")
    table.add_column("contacts", justify="right")
    for rule, count in by_rule.most_common():
        table.add_row(rule, f"{count:,}")
    return table


def _sentences(sums: Sums, *, verify: bool) -> list[str]:
    if verify:
        said = [
            f"{sums.asked:,} decisions asked again under their own rules: {sums.changed:,} differ."
        ]
    else:
        said = [
            f"{sums.asked:,} decisions asked again: {sums.changed:,} would change.",
            f"{sums.contacts:,} contacts: {sums.contacts_illegal:,} would have been refused"
            + (
                f", {sums.contacts_illegal_before:,} of which were already by the rules of then."
                if sums.contacts_illegal_before
                else "."
            ),
        ]
        if sums.contacts_reconstructed:
            said.append(
                f"{sums.contacts_reconstructed:,} of the contacts were reported by others, and"
                " judged on what is known of them today."
            )
    if sums.service_refusals:
        said.append(
            f"{sums.service_refusals:,} more decisions asked no rule (paid, cancelled, held …):"
            " a draft does not touch them."
        )
    said += [f"{count:,} could not be asked: {why}." for why, count in sums.missing.most_common()]
    return said
