"""`python -m services.policy`: the policy service as one process."""

from services.policy.app import run
from services.policy.settings import Settings
from services.runtime import log, service, settings


def main() -> None:
    """Read the settings, then run until told to stop."""
    read = settings.load(Settings)
    log.configure("policy", read.log_format, read.log_level)
    service.run(lambda: run(read), "policy", read)


if __name__ == "__main__":
    main()
