"""Starts the services and the sandbox as processes, waits until they are ready, stops them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp

from services.runtime.child_process import end_child, start_child, wait_for_child
from services.trial.world import SANDBOX_ACCOUNT, SANDBOX_TOKEN, World

READY_SECONDS = 60.0
STOP_SECONDS = 12.0
ORDER = ("policy", "notifier", "scheduler")


class ProcessFailed(Exception):
    """A process ended or didn't get ready; the text says which and ends with its last words."""


class Processes:
    """The running processes of one world, by name; each writes its own log file."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], **variables: str) -> None:
        """Start one process; its output goes to `<folder>/<name>.log`."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DUNWELL_")}
        with (self.world.folder / f"{name}.log").open("ab") as log:
            self._running[name] = start_child(
                [sys.executable, "-m", *command],
                output=log,
                environment=environment | variables,
            )

    def start_service(self, name: str, instance: str = "", **variables: str) -> None:
        """Start a service, or one more instance of it on ports of its own (give the variables)."""
        environment = self.world.environment(name) | variables
        self.start(f"{name}{instance}", [f"services.{name}"], **environment)

    def start_sandbox(self, *options: str) -> None:
        """Start the sandbox on this world's ports."""
        world = self.world
        ports = (str(world.ports["sandbox.http"]), str(world.ports["sandbox.admin"]))
        # fmt: off
        self.start("sandbox", [
            "services.sandbox", "--http-port", ports[0], "--smtp-port", ports[1],
            "--history", str(world.history), "--fcm-service-account", str(world.service_account),
            "--inbound-url", world.url("notifier") + "/v1/inbound/twilio",
            "--twilio-account-sid", SANDBOX_ACCOUNT, "--twilio-auth-token", SANDBOX_TOKEN,
            *options,
        ])
        # fmt: on

    def pid(self, name: str) -> int:
        """The process id of a running process."""
        return self._running[name].pid

    def send(self, name: str, number: signal.Signals) -> None:
        """Send one of our own processes a signal."""
        self._running[name].send_signal(number)

    async def wait_ended(self, name: str, seconds: float) -> int | None:
        """The exit code, or None if it still runs after so long."""
        return await wait_for_child(self._running[name], seconds)

    def ended(self) -> dict[str, int]:
        """Processes that ended though nobody stopped them, with their exit codes."""
        return {n: p.returncode for n, p in self._running.items() if p.poll() is not None}

    async def ready(self, name: str, url: str) -> None:
        """Wait until `url` answers 200; ProcessFailed if the process ends first or takes long."""
        deadline = time.monotonic() + READY_SECONDS
        timeout = aiohttp.ClientTimeout(total=2)
        said = "nothing"
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while time.monotonic() < deadline:
                if self._running[name].poll() is not None:
                    raise ProcessFailed(f"{name} ended at its start:\n{self.last_words(name)}")
                try:
                    async with session.get(url) as answer:
                        if answer.status == 200:
                            return
                        said = (await answer.text())[:300]
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(0.05)
        words = self.last_words(name)
        raise ProcessFailed(f"{name} wasn't ready after {READY_SECONDS:.0f} s: {said}\n{words}")

    def last_words(self, name: str) -> str:
        """The end of a process's log."""
        log = self.world.folder / f"{name}.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    async def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Stop one process and wait; SIGKILL after the grace.  The exit code."""
        process = self._running.pop(name)
        if await end_child(process, number, STOP_SECONDS) is None:
            process.kill()
        return process.wait()

    async def stop_all(self) -> None:
        """Stop what runs: those who feed others first."""
        for name in reversed(list(self._running)):
            await self.stop(name)

    def kill_all(self) -> None:
        """SIGKILL what runs, at once."""
        for process in self._running.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        self._running.clear()


@asynccontextmanager
async def running(world: World, sandbox_options: Sequence[str] = ()) -> AsyncIterator[Processes]:
    """The sandbox and the three services, ready; stopped at the end whatever happens."""
    processes = Processes(world)
    try:
        world.service_account.unlink(missing_ok=True)  # an earlier run had other ports
        processes.start_sandbox(*sandbox_options)
        await processes.ready("sandbox", world.url("sandbox") + "/healthz")
        for name in ORDER:
            processes.start_service(name)
        for name in ORDER:
            await processes.ready(name, world.admin_door(name) + "/readyz")
        yield processes
        await processes.stop_all()
    finally:
        processes.kill_all()
