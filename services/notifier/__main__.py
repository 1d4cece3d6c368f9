"""`python -m services.notifier`: the notifier as one process."""

import sys

from services.notifier import app
from services.notifier.settings import Settings
from services.runtime import service, settings


def main() -> None:
    """Exit code 2 with a sentence for what was set up wrong; 0 after a graceful stop."""
    read = settings.load(Settings)
    service.run(lambda: _run(read))


async def _run(read: Settings) -> None:
    try:
        await app.run(read)
    except app.SteppedClock as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
