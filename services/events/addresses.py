"""The one topic that carries addresses: the value is sealed, only the notifier can open it."""

from services.events.base import Event, Text, Version


class ContactPointGiven(Event, frozen=True, kw_only=True):
    """A lender gave an address; `sealed` is AES-256-GCM over the JSON of kind and value."""

    borrower_ref: Text
    version: Version
    key_id: Text  # which of the notifier's keys sealed it
    sealed: bytes
