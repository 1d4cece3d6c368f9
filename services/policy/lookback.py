"""How far back the rules count: what has to be read of the ledger in full."""

from collections.abc import Iterable
from datetime import timedelta

from services.policy.blocks.durations import Duration
from services.policy.blocks.localtime import DAY
from services.policy.pack import Pack
from services.policy.rule import Rule
from services.policy.rules.consent_required import ConsentRequired
from services.policy.rules.cooldown_after import CooldownAfter
from services.policy.rules.frequency_cap import FrequencyCap
from services.policy.rules.recipient_limit import RecipientLimit
from services.policy.rules.sequence_gate import ContactsFirst, SequenceGate
from services.policy.rules.stop_when import StopWhen

# What the shipped rules and a visit's gates count in, a calendar month and 60 days, with room.
SHORTEST = timedelta(days=62)
LONGEST = timedelta(days=36_500)
# More days than a business day can take to come, with every holiday there is.
_SECONDS = {"minutes": 60, "hours": 3_600, "days": DAY, "business_days": 15 * DAY}


def look_back(packs: Iterable[Pack]) -> timedelta:
    """Before so much time no contact counts in a window of these packs' rules."""
    rules = [rule for pack in packs for rule in pack.rules]
    if any(map(_counts_for_ever, rules)):
        return LONGEST
    seconds = max(map(_window, rules), default=0)
    return max(SHORTEST, timedelta(seconds=min(seconds, LONGEST.total_seconds())))


def _counts_for_ever(rule: Rule) -> bool:
    """Of earlier contacts the ledger gives the latest of each sort, which is enough for a rule that
    asks whether there was any.  These count several; or ask it of what others than the borrower
    were sent at a shared contact point, of which nothing earlier is read.
    """
    match rule:
        case SequenceGate(require=ContactsFirst(at_least=least)):
            return least > 1
        case StopWhen():
            return any((condition.max or 0) > 1 for condition in rule.unless)
        case RecipientLimit():  # contacts with other people are each read
            most = max((each.max_contacts or 0 for each in rule.exceptions), default=0)
            return most > 1 and "debtor" not in rule.allowed
        case FrequencyCap():
            return rule.starts_after is not None and rule.key.isdisjoint(("person", "household"))
        case _:
            return False


def _window(rule: Rule) -> float:
    match rule:
        case FrequencyCap():
            return rule.window.longest
        case CooldownAfter():
            return _longest(rule.lasts)
        case ConsentRequired() if rule.recheck is not None:
            return (rule.recheck.days + 2) * DAY
        case _:
            return 0


def _longest(duration: Duration) -> float:
    # The day of the event is one of them, and local days differ from 24 h.
    return duration.count * _SECONDS[duration.unit] + 2 * DAY
