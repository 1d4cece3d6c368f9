"""`python -m services.notifier`: the notifier as one process."""

from services.notifier import app
from services.notifier.settings import Settings
from services.runtime import service, settings


def main() -> None:
    """Read the settings, then run until told to stop."""
    read = settings.load(Settings)
    service.run(lambda: app.run(read))


if __name__ == "__main__":
    main()
