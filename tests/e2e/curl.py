"""As much of curl as the README uses, where a machine has none."""

import argparse
import sys
import urllib.error
import urllib.request


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("--fail-with-body", action="store_true")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-X", default=None)
    parser.add_argument("-d", default=None)
    parser.add_argument("url")
    given = parser.parse_args()
    request = urllib.request.Request(
        given.url,
        None if given.d is None else given.d.encode(),
        dict(header.split(": ", 1) for header in given.H),
        method=given.X,
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            sys.stdout.buffer.write(answer.read())
    except urllib.error.HTTPError as error:
        sys.stdout.buffer.write(error.read())
        return 22  # as curl --fail-with-body
    return 0


if __name__ == "__main__":
    sys.exit(main())
