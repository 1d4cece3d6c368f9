"""A group's member as a process of its own, to be killed: prints its number of partitions."""

import asyncio
import json
import sys

from services.runtime.streams import open_stream
from tests.runtime.streams import Member, stream_settings


async def main() -> None:
    kind, url, servers = json.loads(sys.argv[1])
    async with open_stream(stream_settings(kind, url, servers)) as stream:
        member = await Member().join(stream, sys.argv[2], sys.argv[3])
        before = -1
        while True:
            await member.poll(timeout=0.1)
            if (count := len(member.consumer.assignment())) != before:
                before = count
                print(count, flush=True)


asyncio.run(main())
