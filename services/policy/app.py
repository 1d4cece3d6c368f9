"""Builds the policy service: the only file that makes pools, streams, servers and tasks."""

import asyncio
from functools import partial

from services.policy import jurisdictions, upkeep
from services.policy.doors import Doors
from services.policy.handlers import HANDLERS, Context
from services.policy.rulesets import RuleSets
from services.policy.settings import Settings
from services.runtime import admin, clock, database, log
from services.runtime.apikeys import ApiKeys
from services.runtime.consume import consume
from services.runtime.outbox import Outbox
from services.runtime.settings import SettingsError
from services.runtime.streams import open_stream
from services.runtime.web import application

GROUP = "policy"


async def run(settings: Settings) -> None:
    """Serve until cancelled."""
    async with (
        database.pool(
            settings.database_url, schema="policy", max_size=settings.database_pool_size
        ) as db,
        open_stream(settings) as stream,
    ):
        async with db.acquire() as connection:
            if await clock.is_stepped(connection) and not settings.sandbox:
                raise SettingsError(
                    "This database has the stepped clock of a demo or a test. Use another, or set"
                    " DUNWELL_SANDBOX=true if every provider is the sandbox."
                )
            await upkeep.make_partitions(connection)
        producer = await stream.producer()
        outbox = Outbox(db, producer)
        context = Context(
            rule_sets=RuleSets(jurisdictions.load()),
            identity_key=settings.identity_key.get_secret_value().encode(),
        )
        doors = Doors(
            context=context,
            db=db,
            keys=ApiKeys(db, settings.api_key_pepper.get_secret_value().encode()),
            outbox=outbox,
            sandbox=settings.sandbox,
        )
        stepped = asyncio.Event()
        health = admin.Health()
        health.ready("database", partial(database.answers, db))
        health.ready("publish", outbox.unready)
        try:
            async with (
                admin.serve(health, settings.admin_host, settings.admin_port) as admin_port,
                admin.serving(
                    application(doors.routes()), settings.http_host, settings.http_port
                ) as http_port,
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(outbox.run())
                tasks.create_task(clock.listen(settings.database_url, stepped.set))
                tasks.create_task(upkeep.sweep_held(db, context.rule_sets, outbox, stepped))
                tasks.create_task(upkeep.measure(db))
                tasks.create_task(
                    consume(
                        stream=stream,
                        db=db,
                        group=GROUP,
                        handlers={
                            topic: partial(handler, context) for topic, handler in HANDLERS.items()
                        },
                        outbox=outbox,
                        health=health,
                    )
                )
                log.get().info("started", name="doors", host=settings.http_host, port=http_port)
                log.get().info("started", name="admin", host=settings.admin_host, port=admin_port)
        finally:
            await producer.close()
