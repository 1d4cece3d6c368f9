#!/bin/sh
# Finds a Python that can make .venv and hands over to environment.py.  PYTHON names another one.
set -u
found=
for python in ${PYTHON:-python3.13 python3.12 python3.11 python3 python python3.14}; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
    found=${found:-$python}
    if "$python" -c 'import pip, venv' >/dev/null 2>&1; then
        found=$python
        break
    fi
done
if [ -z "$found" ]; then
    have=$("${PYTHON:-python3}" --version 2>&1 || true)
    echo "error: Dunwell needs Python 3.11 or newer, and ${PYTHON:-python3} is: ${have:-missing}." \
        "Install one, or name it: make PYTHON=/path/to/python3.11 …" >&2
    exit 1
fi
exec "$found" "$(dirname "$0")/environment.py" "$1"
