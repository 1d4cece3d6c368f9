"""Kills, pauses and lies at every seam, judged from outside by a checker that shares no code."""
