"""Three stories of a demo's end: why one reminder was sent, one waited, one was never sent."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.panel import Panel

from services.runtime.database import Connection

# One decision of each verdict that shows something: the story a compliance officer would be told.
# A law's citation tells more than our own house's, a wait over a night more than one of minutes.
_STORIES = """
SELECT DISTINCT ON (d.verdict) d.verdict, d.decided_at, d.until, d.code, d.answers, d.rule_set,
       d.reminder_id, r.stage, r.due_date, r.loan_id, r.channels, p.allowed_until, s.packs,
       p.attempt_id::text AS attempt
  FROM policy.decisions d
  JOIN scheduler.reminders r USING (tenant, reminder_id)
  LEFT JOIN policy.permits p ON p.decision_id = d.decision_id
  LEFT JOIN policy.rule_sets s ON s.tenant = d.tenant AND s.version = d.rule_set
 WHERE (d.verdict = 'allow' AND d.checkpoint = 'redeem' AND r.status = 'sent')
    OR (d.verdict = 'defer' AND d.code = 'outside_contact_window' AND r.status = 'sent'
        AND d.until - d.decided_at > interval '6 hours')
    OR (d.verdict = 'suppress' AND d.rule IS NOT NULL AND d.code <> 'stale_step')
 ORDER BY d.verdict, (coalesce(d.rule, '') LIKE 'house%'), r.loan_id NOT LIKE '%-2', d.decided_at
"""


async def found(
    owner: Connection, history: Sequence[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]]:
    """One story of each verdict.  `history`: the sandbox's record of what providers were told."""
    # Not every channel has a field for it: e-mail has none.
    expiring = {
        line["attempt_id"]
        for line in history
        if line["event"] == "request" and line["validity_seconds"] is not None
    }
    rows = await owner.fetch(_STORIES)
    return [dict(row) | {"expires": row["attempt"] in expiring} for row in rows]


def panel(story: Mapping[str, Any]) -> Panel:
    """What happened to one reminder and why, in a few lines."""
    told = {
        "allow": ("Why was this one sent?", "green"),
        "defer": ("Why did this one wait?", "cyan"),
        "suppress": ("Why was this one never sent?", "yellow"),
    }
    title, style = told[story["verdict"]]
    lines = [
        f"Reminder for loan {story['loan_id']} ({story['stage']}, due {story['due_date']}),"
        f" asked on {story['decided_at']:%a %d %b %Y %H:%M} UTC."
    ]
    if story["verdict"] == "allow":
        packs = ", ".join(sorted(_packs(story["packs"])))
        lines.append(f"Asked when due and again at hand-off; no rule of {packs} objected.")
        drop = "; the provider was told to drop the message by then" if story["expires"] else ""
        lines.append(
            f"The permit ran until {story['allowed_until']:%a %d %b %H:%M} UTC, when the next rule"
            f" would have objected{drop}."
        )
    for reason in _reasons(story["answers"]):
        cite = "; ".join(reason.get("cite") or [])
        lines.append(
            f"{reason.get('says') or reason.get('code')}  [dim]{reason.get('rule')}"
            f"{', ' + cite if cite else ''}[/dim]"
        )
    if story["until"]:
        lines.append(f"Next permitted instant: {story['until']:%a %d %b %H:%M} UTC.")
    lines.append(f"[dim]rule set {str(story['rule_set'])[:12]}[/dim]")
    return Panel("\n".join(lines), title=title, border_style=style)


def _packs(packs: Any) -> list[str]:
    """Pack ids of a rule set, as the decision log names them."""
    parsed = json.loads(packs) if isinstance(packs, str) else packs
    return [str(entry["pack"]) if isinstance(entry, dict) else str(entry) for entry in parsed or ()]


def _reasons(answers: Any) -> list[Mapping[str, Any]]:
    """The reasons of the first channel that has some, at most three."""
    parsed = json.loads(answers) if isinstance(answers, str) else answers
    listed = parsed if isinstance(parsed, list) else list(parsed.values())
    for answer in listed:
        if reasons := answer.get("reasons"):
            return list(reasons)[:3]
    return []
