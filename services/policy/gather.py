"""Rows become facts v1: who may be where, what was sent before, what stands against it."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import TypeVar
from uuid import UUID

import msgspec

from services.events.permits import ContentFacts
from services.policy import facts as v1
from services.policy.asked import Asked
from services.policy.known import Known, Loans, Row, Where, Who
from services.policy.words import Basis
from services.policy.zones import zones_of_country

T = TypeVar("T")


def facts_for(
    known: Known, asked: Asked, channel: str, point: Row, content: ContentFacts | None = None
) -> v1.Facts:
    """The facts of one contact: this reminder, on this channel, at this contact point."""
    who, terms = asked.who, asked.terms
    borrower = known.borrowers[who]
    return v1.Facts(
        actor=v1.Actor(role=terms.role),  # type: ignore[arg-type]  # checked in SQL
        borrower=v1.Borrower(zones=candidate_zones(known, who), household=_household(known, who)),
        debt=v1.Debt(
            id=asked.loan_id,
            product=terms.product,  # type: ignore[arg-type]  # an enum on the wire
            account=terms.account,
            creditor=terms.creditor,
            stage=asked.debt_stage,
            days_past_due=asked.days_past_due,
            balance=asked.outstanding_minor,
            time_barred=terms.time_barred,
            missed_meetings=terms.missed_meetings,
        ),
        contact=v1.Contact(
            channel=channel,  # type: ignore[arg-type]  # an enum on the wire
            purpose=asked.purpose,
            recipient="debtor",
            contact_point=v1.ContactPoint(
                id=point["contact_point_id"],
                kind=point["kind"],
                place=point["place"],
                provided_by=point["provided_by"],
                shared=point["shared"],
            ),
            content=_content(content, asked.outstanding_minor),
        ),
        history=_history(known, borrower, (asked.tenant, point["contact_point_id"])),
        stops=stops_on(known, who),
        consents=tuple(known.consents.get(who, ())),
        preferences=tuple(known.preferences.get(who, ())),
        notices=_about(asked.loan_id, known.notices.get(who, ())),
        duties=_about(asked.loan_id, known.duties.get(who, ())),
    )


def no_point(contact_point_id: str | None = None) -> Row:
    """A contact point of which nothing is known, but perhaps its id."""
    return {
        "contact_point_id": contact_point_id,
        "kind": None,
        "place": "personal",
        "provided_by": "unknown",
        "shared": False,
    }


def candidates(
    known: Known, who: Who, channels: Sequence[str], barred: Collection[str]
) -> list[tuple[str, Row]]:
    """Each channel with each contact point that it may be tried at, in order; `barred` are contact
    points that hand-off has refused to this reminder for good."""
    return [
        (str(channel), point)
        for channel in channels
        for point in known.points.get(who, ())
        if point["usable"]
        and channel in point["channels"]
        and point["contact_point_id"] not in barred
    ]


def candidate_zones(known: Known, who: Who) -> tuple[v1.CandidateZone, ...]:
    """The borrower's own zones and those of their usable contact points; else their country's.

    Empty when not even the country is known.
    """
    found = known.zones.get(who)
    if found is None:
        found = known.zones[who] = _candidate_zones(known, who)
    return found


def _candidate_zones(known: Known, who: Who) -> tuple[v1.CandidateZone, ...]:
    borrower = known.borrowers.get(who)
    if borrower is None:
        return ()
    names, bases = tuple(borrower["zones"]), tuple(borrower["bases"])
    for point in known.points.get(who, ()):
        if point["usable"] and point["zones"]:
            names, bases = (*names, *point["zones"]), (*bases, *point["bases"])
    return _zones(names, bases) if names else zones_of_country(borrower["country"])


@lru_cache(maxsize=10_000)
def _zones(names: tuple[str, ...], bases: tuple[Basis, ...]) -> tuple[v1.CandidateZone, ...]:
    found = dict.fromkeys(zip(names, bases, strict=True))
    return tuple(v1.CandidateZone(zone=name, basis=basis) for name, basis in found)


def stops_on(known: Known, who: Who) -> tuple[v1.Stop, ...]:
    """The borrower's own stops and, whoever gave them, those on a contact point they have."""
    if not known.stops and not known.point_stops:
        return ()
    found = dict(known.stops.get(who, {}))
    for point in known.points.get(who, ()):
        found.update(known.point_stops.get((who[0], point["contact_point_id"]), {}))
    return tuple(found.values())


def _about(loan_id: str, scoped: Sequence[tuple[Loans, T]]) -> tuple[T, ...]:
    return tuple(fact for loans, fact in scoped if not loans or loan_id in loans)


def _household(known: Known, who: Who) -> tuple[str, ...]:
    """Who counts together: this borrower is `debtor`, the others go by their surrogate."""
    tenant, borrower_id = who
    home = known.borrowers[who]["household_id"]
    if home is None:
        return ("debtor",)
    others = sorted(_member(m) for m in known.members.get((tenant, home), ()) if m != borrower_id)
    return ("debtor", *others)


def _member(borrower_id: UUID) -> str:
    return f"household:{borrower_id}"


_AT = attrgetter("at")


def _history(known: Known, borrower: Row, where: Where) -> tuple[v1.Entry, ...]:
    """The borrower's own entries, the household's, and what others got at this contact point."""
    tenant, borrower_id = borrower["tenant"], borrower["borrower_id"]
    entries = list(known.contacts.get((tenant, borrower_id), ()))
    seen = {borrower_id}
    for member in known.members.get((tenant, borrower["household_id"]), ()):
        if member not in seen:
            seen.add(member)
            entries += [
                _of_other(_member(member), entry)
                for entry in known.contacts.get((tenant, member), ())
            ]
    entries += [
        _of_other(f"other:{owner}", entry)
        for owner, entry in known.shared.get(where, ())
        if owner not in seen
    ]
    entries.sort(key=_AT)
    return tuple(entries)


def _of_other(person: str, entry: v1.Entry) -> v1.Entry:
    named = person if entry.person == "debtor" else f"{person}:{entry.person}"
    return msgspec.structs.replace(entry, person=named)


def _content(content: ContentFacts | None, outstanding_minor: int) -> v1.Content | None:
    if content is None:
        return None
    return v1.Content(
        elements=content.elements,  # type: ignore[arg-type]  # checked at the door
        labels=content.labels,  # type: ignore[arg-type]
        opt_out=content.opt_out,  # type: ignore[arg-type]
        states_debt=content.states_debt,
        amount=outstanding_minor,
    )
