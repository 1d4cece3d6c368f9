"""`python -m services.notifier`: the notifier as one process."""

from services.notifier import app
from services.notifier.settings import Settings
from services.runtime import log, service, settings


def main() -> None:
    """Exit code 2 with a sentence for what was set up wrong; 0 after a graceful stop."""
    read = settings.load(Settings)
    log.configure("notifier", read.log_format, read.log_level)
    service.run(lambda: app.run(read), "notifier", read)


if __name__ == "__main__":
    main()
