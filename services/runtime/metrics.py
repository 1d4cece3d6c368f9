"""Every metric name, with what it counts.  Labels are closed lists: never an id, never a person."""

from collections.abc import Iterable
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()


def start_at_zero(metric: Counter, *labels: Iterable[str]) -> None:
    """Every combination is there before the first is counted: a `rate` sees no first one else."""
    for each in product(*labels):
        metric.labels(*each)


# consuming
CONSUMED = Counter(
    "dunwell_consumed_total", "Messages handled and committed", ["topic"], registry=REGISTRY
)
DEAD_LETTERS = Counter(
    "dunwell_dead_letters_total", "Messages put aside", ["topic", "code"], registry=REGISTRY
)
FENCED = Counter(
    "dunwell_fenced_batches_total",
    "Batches dropped: another member owns the partition",
    ["topic"],
    registry=REGISTRY,
)
LAG = Gauge(
    "dunwell_consumer_lag",
    "Messages not yet handled; NaN while nobody can tell",
    ["topic"],
    registry=REGISTRY,
)
BATCH_SECONDS = Histogram(
    "dunwell_batch_seconds",
    "One batch: transaction begun to committed",
    ["topic"],
    registry=REGISTRY,
)
# publishing
PUBLISHED = Counter(
    "dunwell_published_total",
    "Outbox rows acknowledged by the stream",
    ["topic"],
    registry=REGISTRY,
)
# deciding
DECISIONS = Counter(
    "dunwell_decisions_total", "Answers to a due reminder", ["verdict", "code"], registry=REGISTRY
)
REDEEMS = Counter(
    "dunwell_redeems_total", "Answers at hand-off", ["verdict", "code"], registry=REGISTRY
)
CLEARANCES = Counter(
    "dunwell_clearances_total",
    "Answers to dialers, desks and field teams",
    ["verdict", "code"],
    registry=REGISTRY,
)
HELD = Gauge(
    "dunwell_held_reminders",
    "Reminders that wait for a person to mend something",
    ["code"],
    registry=REGISTRY,
)
OPEN_BOOKINGS = Gauge(
    "dunwell_bookings_without_outcome",
    "Bookings older than 10 minutes that still count",
    registry=REGISTRY,
)
# scheduling
EMITTED = Counter("dunwell_reminders_emitted_total", "Reminders that fell due", registry=REGISTRY)
SETTLED = Counter(
    "dunwell_reminders_settled_total", "Reminders that ended", ["outcome"], registry=REGISTRY
)
# delivering
ATTEMPTS = Counter(
    "dunwell_attempts_total",
    "Delivery attempts that reached a state",
    ["provider", "state"],
    registry=REGISTRY,
)
PERMITS_MISSING = Counter(
    "dunwell_permits_missing_total",
    "Messages kept back because policy gave no answer",
    ["reason"],
    registry=REGISTRY,
)
PROVIDER_SECONDS = Histogram(
    "dunwell_provider_seconds", "Request written to answer read", ["provider"], registry=REGISTRY
)
OPEN_REVIEWS = Gauge(
    "dunwell_reviews_open", "Stops taken in doubt that nobody has looked at", registry=REGISTRY
)
CALLBACKS = Counter(
    "dunwell_callbacks_total", "Provider callbacks", ["provider", "result"], registry=REGISTRY
)
