"""The one table of topics: who writes what, under which key, and in which wire versions."""

import msgspec

from services.events import addresses, deliveries, loans, notices, reminders, stops
from services.events.base import Event


class Topic(msgspec.Struct, frozen=True):
    """One topic.  The key is always `tenant/borrower id` unless the comment says otherwise."""

    name: str
    events: tuple[type[Event], ...]
    partitions: int = 12
    sealed: bool = False  # its dead letters are sealed too


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        # from the lender; keyed by tenant/loan or tenant/borrower reference as the lender likes
        Topic(
            "loan.events",
            (
                loans.BorrowerRegistered,
                loans.LoanRegistered,
                loans.InstallmentScheduled,
                loans.RepaymentReceived,
                loans.RepaymentReversed,
                loans.LoanClosed,
                loans.SourceWatermark,
            ),
        ),
        Topic("address.events", (addresses.ContactPointGiven,), sealed=True),
        Topic(
            "stop.events",
            (
                stops.StopRecorded,
                stops.StopLifted,
                stops.ConsentGiven,
                stops.ConsentRevoked,
                stops.PreferenceStated,
                notices.NoticeSent,
                notices.DutyArisen,
            ),
        ),
        # from the scheduler
        Topic("loan.changed", (loans.BorrowerChanged, loans.DebtChanged, loans.FeedWatermark)),
        Topic("reminder.due", (reminders.ReminderDue,)),
        Topic("reminder.cancelled", (reminders.ReminderCancelled,)),
        # from policy
        Topic("reminder.allowed", (reminders.ReminderAllowed,)),
        Topic("reminder.deferred", (reminders.ReminderDeferred,)),
        Topic("reminder.suppressed", (reminders.ReminderSuppressed,)),
        # from the notifier
        Topic("delivery.attempted", (deliveries.DeliveryAttempted,)),
        Topic("delivery.receipt", (deliveries.DeliveryReceipt,)),
        Topic("contact_point.changed", (deliveries.ContactPointChanged,)),
        Topic("borrower.replied", (deliveries.BorrowerReplied,)),
    )
}

DEAD_LETTER_SUFFIX = ".dlq"


def wire_type(event: type[Event], version: int = 1) -> str:
    """`ReminderDue` → `dunwell.reminder_due.v1`, the CloudEvents `type`."""
    words = "".join("_" + c.lower() if c.isupper() else c for c in event.__name__).lstrip("_")
    return f"dunwell.{words}.v{version}"


# The lender writes these, makes them or not, and chooses their keys.
LENDERS_TOPICS = frozenset({"loan.events", "address.events", "stop.events"})

TYPES: dict[str, type[Event]] = {
    wire_type(event): event for topic in TOPICS.values() for event in topic.events
}
TOPIC_OF: dict[type[Event], str] = {
    event: topic.name for topic in TOPICS.values() for event in topic.events
}
