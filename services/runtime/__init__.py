"""What all services run on: a closed list of small modules that know no loan and no reminder."""
