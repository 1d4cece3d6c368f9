"""Dunwell: may I contact this person, about this, on this channel, now?  Path is import."""
