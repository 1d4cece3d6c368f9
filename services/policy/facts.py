"""Facts v1: everything a rule may read about one contact (cases/README.md).

The running service builds these structs from its rows: aware UTC datetimes, dates, frozensets for
closed lists. given_facts.py reads them from plain values. `None` means unknown, unless a field says
otherwise.
"""

from datetime import date, datetime
from typing import Annotated

from msgspec import Struct, field

from services.events.words import Element, Label, OptOut
from services.policy import words
from services.policy.strict import ReadBy, read_any_text
from services.policy.values import Clock, Count, Days, Names, ZoneName


class FactsError(ValueError):
    """The facts are not fit to be judged: no decision is made, nothing is sent."""


class Actor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who makes this contact."""

    role: words.Role
    id: str = "us"


class CandidateZone(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the borrower may be, and how we know."""

    zone: ZoneName
    basis: words.Basis


class Borrower(Struct, frozen=True, kw_only=True, omit_defaults=True):
    zones: tuple[CandidateZone, ...]  # empty: nobody knows
    household: Names = ("debtor",)  # persons who count together under the key `household`
    unreachable: bool = False  # by every means on record


class Debt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The debt this contact is about."""

    id: str
    product: words.Product
    account: str | None = None  # None: the debt's own id
    creditor: str | None = None
    stage: words.Stage | None = None
    days_past_due: Count | None = None  # 0 is current
    balance: float | None = None  # what is due now
    time_barred: bool = False
    missed_meetings: Count = 0  # in succession


class ContactPoint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The number or address."""

    id: str | None = None
    kind: words.PointKind | None = None
    place: words.Place = "personal"
    provided_by: words.ProvidedBy = "unknown"
    shared: bool = False  # others can read or hear it
    checked_on: date | None = None  # last found not to be reassigned


class Sender(Struct, frozen=True, kw_only=True, omit_defaults=True):
    caller_id: words.CallerId = "shown"
    device: words.Device = "company"


class Content(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the rendered message contains."""

    elements: tuple[Element, ...] = ()
    labels: tuple[Label, ...] = ()
    opt_out: OptOut | None = None  # None: it offers no way
    states_debt: bool | None = None
    amount: float | None = None
    text: Annotated[str, ReadBy(read_any_text)] = ""


class Contact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is about to leave."""

    channel: words.Channel
    purpose: words.Purpose
    recipient: words.Recipient
    person: str | None = None  # None: named as the recipient is
    class_: words.Class = field(default="ordinary", name="class")
    sequence: words.Sequence | None = None  # None: follows from the history
    technology: words.Technology | None = None
    event: str | None = None
    prepared_at: datetime | None = None  # no rule reads it
    contact_point: ContactPoint = ContactPoint()
    sender: Sender = Sender()
    content: Content | None = None  # None: not rendered yet, content rules are not asked


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An earlier contact, ours or theirs.

    By far the most numerous: the search for cycles, of which it can have none, leaves it out.
    """

    at: datetime  # sent, placed or received
    channel: words.Channel
    outcome: words.Outcome
    id: str | None = None
    recorded_at: datetime | None = None  # no rule reads it
    direction: words.Direction = "outbound"
    debts: Names | None = None  # None: about this debt
    allocated_to: Names | None = None  # None: not allocated
    account: str | None = None  # None: this debt's account if it is about this debt, else another
    creditor: str | None = None  # None: this debt's creditor
    collector: str | None = None  # None: this actor
    person: str = "debtor"
    contact_point: str | None = None
    place: words.Place = "personal"
    class_: words.Class = field(default="ordinary", name="class")
    purpose: words.Purpose | None = None
    technology: words.Technology | None = None
    event: str | None = None
    consented: bool = False  # placed with the person's direct prior consent
    in_reply_to: str | None = None  # None: answers nothing
    requests_contact: bool = False  # the person asked to be contacted (again)


class Stop(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reason not to contact. A scope that is None is not limited."""

    kind: words.StopKind
    received: datetime | None = None  # None: always
    recorded: datetime | None = None  # no rule reads it
    form: words.Form | None = None
    from_: date | None = field(default=None, name="from")  # first day, where it has one
    until: date | None = None  # last day, where it has one
    basis_ended: date | None = None
    ended: datetime | None = None  # lifted
    debts: Names | None = None
    channels: frozenset[words.ChannelOrGroup] | None = None
    contact_points: Names | None = None
    places: frozenset[words.Place] | None = None
    purposes: frozenset[words.Purpose] | None = None
    persons: Names | None = None


class RecurringHours(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Hours that come again on the days named; they may cross midnight."""

    from_: Clock = field(name="from")
    to: Clock
    days: Days = "daily"


class Consent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Leave given. A scope that is None is not limited."""

    to: words.ConsentKind
    received: datetime
    given_to: words.GivenTo
    form: words.Form | None = None
    channels: frozenset[words.ChannelOrGroup] | None = None
    contact_points: Names | None = None
    debts: Names | None = None
    until: date | None = None  # last day
    revoked: datetime | None = None
    hours: RecurringHours | None = None  # None: at any time


class Preference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A wish or agreement that narrows the time."""

    kind: words.PreferenceKind
    from_: Clock = field(name="from")
    to: Clock
    days: Days = "daily"
    zone: ZoneName | None = None  # None: the zones the rule uses
    received: datetime | None = None  # None: always
    withdrawn: datetime | None = None  # None: never


class Notice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A formal notice sent."""

    kind: words.NoticeKind
    sent: datetime
    returned: bool = False
    period_ends: date | None = None  # last day of the period it opens


class Duty(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A duty that has arisen."""

    kind: words.DutyKind
    since: datetime | date
    done: datetime | None = None  # None: not done


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts v1, without `now`, which is an argument of its own."""

    actor: Actor
    borrower: Borrower
    debt: Debt
    contact: Contact
    history: tuple[Entry, ...] = ()
    stops: tuple[Stop, ...] = ()
    consents: tuple[Consent, ...] = ()
    preferences: tuple[Preference, ...] = ()
    notices: tuple[Notice, ...] = ()
    duties: tuple[Duty, ...] = ()
