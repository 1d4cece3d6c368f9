"""Facts v1 read from plain values, as a case file or a request has them: what is not declared is
refused.
"""

from collections.abc import Mapping
from datetime import datetime

from services.policy.facts import Facts, FactsError, Preference, RecurringHours
from services.policy.strict import Invalid, Path, known_keys, read, read_instant, shown


def facts_from(mapping: Mapping[str, object]) -> Facts:
    """Facts v1 from plain values; raises FactsError naming the path and the fix.

    `now` may be among them: it is checked and left out, for it is an argument of its own.
    """
    try:
        return _facts({key: value for key, value in mapping.items() if key != "now"})
    except Invalid as error:
        raise FactsError(str(error)) from error


def question_from(mapping: object) -> tuple[Facts, datetime]:
    """Facts v1 with the `now` they are asked about, which is required; raises FactsError."""
    if not isinstance(mapping, Mapping):
        raise FactsError(f"facts: is {shown(mapping)}, must be a map")
    try:
        given = known_keys(mapping, ("now", *Facts.__struct_fields__), ())
        if "now" not in given:
            raise Invalid(("now",), "is required; add the instant at which the contact would leave")
        now = read_instant(given["now"], ("now",))
        return _facts({key: value for key, value in given.items() if key != "now"}), now
    except Invalid as error:
        raise FactsError(str(error)) from error


def _facts(mapping: Mapping[str, object]) -> Facts:
    facts = read(Facts, mapping)
    contact = mapping["contact"]
    for key in ("contact_point", "sender"):
        if isinstance(contact, Mapping) and contact.get(key) == {}:
            raise Invalid(("contact", key), "is empty; say something of it, or leave the key out")
    for i, preference in enumerate(facts.preferences):
        _check_interval(preference, ("preferences", i))
    for i, consent in enumerate(facts.consents):
        if consent.hours is not None:
            _check_interval(consent.hours, ("consents", i, "hours"))
    return facts


def _check_interval(hours: Preference | RecurringHours, path: Path) -> None:
    if hours.from_ == "24:00":
        raise Invalid((*path, "from"), "'24:00' may only end a time; write '00:00'")
    if hours.from_ == hours.to:
        raise Invalid(
            (*path, "to"), "is the same as `from`; for the whole day write 00:00 to 24:00"
        )
