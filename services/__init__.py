"""Dunwell: may I contact this person, about this, on this channel, now?  Path is import."""

import zoneinfo

VERSION = "0.1.0"

# The zones of the pinned tzdata package, never the machine's: in 2026 an older system table is an
# hour wrong in fifteen zones, and two machines must not disagree on when a window opens.
zoneinfo.reset_tzpath(to=())
