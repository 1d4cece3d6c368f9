"""`make bench`: how fast, as ratios to peers measured in the same run."""
