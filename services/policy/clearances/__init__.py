"""The gate for human and foreign channels: may I?, now, not after all, and what happened."""
