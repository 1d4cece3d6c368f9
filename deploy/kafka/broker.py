"""One Apache Kafka broker (KRaft, no ZooKeeper, no container) on loopback, run from its jars."""

import asyncio
import atexit
import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from deploy.kafka.fetch import KafkaUnavailable, jars, java
from services.runtime.child_process import end_child, free_ports, start_child, wait_for_child

START_SECONDS = 90.0
STOP_SECONDS = 20.0
CLUSTER_ID = "ZHVud2VsbC1icm9rZXIhIQ"  # any 16 bytes in URL-safe base64

# One node is its own quorum: replication of 1, no wait for more group members, small index files,
# and a killed broker's registration forgotten after 5 s instead of 9.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
auto.leader.rebalance.enable=false
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=5000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=8388608
log.index.size.max.bytes=1048576
num.io.threads=4
num.network.threads=2
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor=1
"""


class KafkaBroker:
    """A broker on a port of its own that starts in about 5 s; any number may run at once.

    Without `data_dir` the data lives in a temporary folder that leaving `async with` removes; with
    one, it stays. `port=0` takes a free port and keeps it for every restart. `short_lived` trades
    speed under load for a quick start: right for tests, wrong for a benchmark.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int = 0,
        *,
        heap_mb: int = 512,
        short_lived: bool = True,
    ) -> None:
        self.port = port
        self._controller_port = 0
        self._kept_data = data_dir.absolute() if data_dir else None
        self._scratch: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._options = [f"-Xmx{heap_mb}m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        if short_lived:
            self._options += ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self.remove()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self._kept_data:
                await self.stop()
        finally:
            self.remove()

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The broker's process id, or None while it doesn't run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def data_dir(self) -> Path:
        if self._kept_data is not None:
            return self._kept_data
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="dunwell-kafka-"))
        return self._scratch

    async def start(self) -> None:
        """Format the data folder if it is new, start the broker and wait until it answers."""
        if self.pid is not None:
            return
        atexit.register(self.remove)
        command = [java(), *self._options, "-cp", f"{jars()}/*"]
        self.data_dir.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + START_SECONDS
        wanted = self.port
        while not await self._launch(command, deadline):
            self.port, self._controller_port = wanted, 0  # another process was quicker: new ports

    async def stop(self) -> None:
        """Stop the broker in order; one that does not heed within 20 s is killed."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL the broker; its data stays for the next start."""
        await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """Stop and start on the same data and port."""
        await self.stop()
        await self.start()

    async def create_topics(self, partitions: Mapping[str, int]) -> None:
        """Create topics by name and number of partitions; one that exists is left as it is."""
        topics = [NewTopic(name, number, 1) for name, number in partitions.items()]
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        await admin.start()
        try:
            answer = await admin.create_topics(topics)
        finally:
            await admin.close()
        for name, code, text in answer.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise for_code(code)(f"topic {name}: {text}")

    def remove(self) -> None:
        """Kill the broker if it still runs, delete the temporary folder; kept data stays."""
        atexit.unregister(self.remove)
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    async def _launch(self, command: list[str], deadline: float) -> bool:
        """Start the broker and wait until it answers; False when its ports were taken meanwhile."""
        logs = self.data_dir / "logs"
        properties = self.data_dir / "server.properties"
        if self.port == 0 or self._controller_port == 0:
            free, self._controller_port = free_ports(2)
            self.port = self.port or free
        properties.write_text(
            _PROPERTIES.format(port=self.port, controller_port=self._controller_port, logs=logs)
        )
        with (self.data_dir / "broker.log").open("a+b") as output:
            begin = output.tell()
            if not (logs / "meta.properties").exists():
                tool = ["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID]
                formatting = start_child([*command, *tool, "--config", properties], output=output)
                self._process = formatting
                if await wait_for_child(formatting, START_SECONDS) is None:
                    await self._end(signal.SIGKILL)
            self._process = start_child([*command, "kafka.Kafka", properties], output=output)
            while self._process.poll() is None and time.monotonic() < deadline:
                if await self._answers():
                    return True
                await asyncio.sleep(0.05)
            await self._end(signal.SIGKILL)
            output.seek(begin)
            words = output.read().decode(errors="replace")
        if "Address already in use" in words and time.monotonic() < deadline:
            return False
        raise KafkaUnavailable(f"Apache Kafka did not start on port {self.port}:\n{words[-3000:]}")

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            await admin.start()
            return bool((await admin.describe_cluster())["brokers"])
        except (KafkaError, OSError):
            return False
        finally:
            await admin.close()

    async def _end(self, how: signal.Signals) -> None:
        if self._process is not None and await end_child(self._process, how, STOP_SECONDS) is None:
            await end_child(self._process, signal.SIGKILL, STOP_SECONDS)
