"""Builds the scheduler, runs it, takes it down in reverse; nothing below constructs anything."""

import asyncio
from collections.abc import Mapping
from functools import partial

import aiohttp

from services.runtime import admin, clock, database, log, web
from services.runtime.admin import Health
from services.runtime.apikeys import ApiKeys
from services.runtime.consume import consume
from services.runtime.outbox import Outbox
from services.runtime.streams import open_stream
from services.scheduler.cadence import Cadence
from services.scheduler.doors import MAX_BODY_BYTES, Doors
from services.scheduler.emit import Emitter
from services.scheduler.handlers import HANDLERS
from services.scheduler.intake import Context
from services.scheduler.paid_door import PaidDoor
from services.scheduler.recadence import keep_in_line
from services.scheduler.settings import Settings

GROUP = "scheduler"


async def run(settings: Settings, cadences: Mapping[str, Cadence]) -> None:
    """Run until cancelled."""
    context = Context(
        identity_key=settings.identity_key.get_secret_value().encode(), cadences=cadences
    )
    health = Health()
    async with (
        database.pool(
            settings.database_url, schema="scheduler", max_size=settings.database_pool_size
        ) as db,
        open_stream(settings) as stream,
        aiohttp.ClientSession() as session,
    ):
        producer = await stream.producer()
        try:
            relay = Outbox(db, producer)
            emitter = Emitter(db, relay)
            health.live("claim", emitter.dead)
            health.ready("database", partial(database.answers, db))
            health.ready("publish", relay.unready)
            doors = Doors(
                context,
                db,
                ApiKeys(db, settings.api_key_pepper.get_secret_value().encode()),
                relay,
                PaidDoor(session, settings.policy_url, settings.service_key.get_secret_value()),
            )
            application = web.application(doors.routes(), max_body_bytes=MAX_BODY_BYTES)
            async with (
                admin.serve(health, settings.admin_host, settings.admin_port) as admin_port,
                admin.serving(application, settings.http_host, settings.http_port) as port,
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(relay.run())
                tasks.create_task(emitter.run())
                tasks.create_task(clock.listen(settings.database_url, emitter.nudge))
                tasks.create_task(keep_in_line(context, db))
                tasks.create_task(
                    consume(
                        stream=stream,
                        db=db,
                        group=GROUP,
                        handlers={
                            topic: partial(handler, context) for topic, handler in HANDLERS.items()
                        },
                        outbox=relay,
                        health=health,
                        after_commit=emitter.nudge,
                    )
                )
                log.get().info("started", name="doors", host=settings.http_host, port=port)
                log.get().info("started", name="admin", host=settings.admin_host, port=admin_port)
        finally:
            await producer.close()
