"""What every event shares: frozen, keyword-only, aware instants, and no personal data."""

import re
from datetime import datetime
from typing import Annotated

import msgspec

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware datetime; naive times are refused by the decoder."""

# Ids travel in keys, logs and SQL: bounded, and free of NUL and of line breaks.
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00\r\n]*\Z")]
Tenant = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z")]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]
ReasonCode = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,60}\Z")]

# 10^15 minor units: larger than any loan, small enough for a bigint and for exact JSON numbers.
MinorUnits = Annotated[int, msgspec.Meta(ge=0, le=10**15)]

# What an integer column holds.  Business rules are narrower, and say so themselves.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Signed = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Version = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

# Scopes are lists of a few; a thousand subjects are locked at once without harm.
Texts = Annotated[tuple[Text, ...], msgspec.Meta(max_length=1_000)]

TENANT_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,39}\Z")


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A fact.  Unknown fields are ignored, so that an older reader survives a newer writer."""

    tenant: Tenant
