"""`python -m services.scheduler`: run the scheduler until it is told to stop."""

import sys

from services.runtime import log, service, settings
from services.scheduler import app, cadence
from services.scheduler.settings import Settings


def main() -> None:
    """Exit code 2 with a sentence for each wrong variable or cadence; 0 after a graceful stop."""
    ours = settings.load(Settings)
    folders = [cadence.SHIPPED] + ([ours.cadences_dir] if ours.cadences_dir else [])
    try:
        cadences = cadence.load(*folders)
    except cadence.CadenceError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    log.configure("scheduler", ours.log_format, ours.log_level)
    service.run(lambda: app.run(ours, cadences), "scheduler", ours)


if __name__ == "__main__":
    main()
