"""Builds the notifier and runs it: the only place where clients, pools and loops are made."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from uuid import uuid4

import aiohttp
from aiohttp import web

from services.events.words import Channel as ChannelName
from services.notifier import handlers, reviews, sweeps
from services.notifier.addresses import Keyring, parse_keys
from services.notifier.callbacks import Callbacks, Signatures, twilio_routes
from services.notifier.channels import Channel
from services.notifier.completions import Completions
from services.notifier.dispatch import Dispatcher, Lane
from services.notifier.doors import lender_routes
from services.notifier.gate import Gate
from services.notifier.handlers import Keys
from services.notifier.handoff import HandOff
from services.notifier.inbound import Inbound, inbound_routes
from services.notifier.intake import Intake
from services.notifier.open_channels import open_channels, pace_of
from services.notifier.prepare import Preparer
from services.notifier.render import load_templates
from services.notifier.replies import load_vocabulary
from services.notifier.review_doors import review_routes
from services.notifier.settings import Settings, parse_names
from services.notifier.stops import Forwarder
from services.notifier.unsubscribe import unsubscribe_routes
from services.runtime import admin, clock, database, log
from services.runtime.apikeys import ApiKeys
from services.runtime.consume import consume
from services.runtime.database import Pool
from services.runtime.outbox import Outbox
from services.runtime.settings import SettingsError
from services.runtime.streams import open_stream
from services.runtime.web import application

DOOR_BODY_BYTES = 64 * 1024
SWEEP_SECONDS = 0.5
GAUGE_SECONDS = 15.0
NOBODYS_NAME = "Your lender"  # where only the sandbox reads it


async def run(settings: Settings) -> None:
    """Until cancelled; then what was redeemed leaves, and what left is written down."""
    identity = settings.identity_key.get_secret_value().encode()
    ring = Keyring(parse_keys(settings.address_keys.get_secret_value()))
    keys = Keys(identity, ring)
    service_key = settings.service_key.get_secret_value()
    retry_after = timedelta(seconds=settings.retry_seconds)
    preparer = Preparer(
        templates=load_templates(),
        ring=ring,
        sender=settings.sender_name or (NOBODYS_NAME if settings.only_on_this_machine() else None),
        senders=parse_names(settings.sender_names),
        public_url=settings.public_url,
        unsubscribe_key=identity,
    )
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(
            database.pool(
                settings.database_url, schema="notifier", max_size=settings.database_pool_size
            )
        )
        await refuse_stepped_clock(db, settings)
        stream = await stack.enter_async_context(open_stream(settings))
        producer = await stream.producer()
        stack.push_async_callback(producer.close)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
            )
        )
        channels = await stack.enter_async_context(open_channels(settings))
        relay = Outbox(db, producer)
        completions = Completions(db, relay, channels, retry_after)
        callbacks = Callbacks(db, relay)
        intake = Intake(db, relay, keys)
        forwarder = Forwarder(db, session, settings.policy_url, service_key)
        inbound = Inbound(db, relay, forwarder, identity)
        gate = Gate(session, settings.policy_url, service_key)
        wake = asyncio.Event()
        lanes = _lanes(settings, db, gate, relay, completions, channels, wake)
        providers = {name: channel.provider for name, channel in channels.items()}
        dispatcher = Dispatcher(db, uuid4(), preparer, lanes, providers, wake)
        health = admin.Health()
        health.live("claim", dispatcher.dead)
        health.ready("database", partial(database.answers, db))
        health.ready("publish", relay.unready)
        routes = _routes(settings, db, intake, inbound, forwarder, callbacks)
        await stack.enter_async_context(
            admin.serve(health, settings.admin_host, settings.admin_port)
        )
        port = await stack.enter_async_context(
            admin.serving(
                application(routes, max_body_bytes=DOOR_BODY_BYTES),
                settings.http_host,
                settings.http_port,
            )
        )
        log.get().info("started", port=port)
        gc.freeze()  # templates, lists and clients stay: no search for cycles need look at them
        # In this order at the end: no new work, flights land, their ends are written.
        stack.push_async_callback(completions.flush)
        stack.push_async_callback(dispatcher.stop)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(relay.run())
            tasks.create_task(completions.run())
            tasks.create_task(callbacks.run())
            tasks.create_task(intake.run())
            tasks.create_task(dispatcher.run())
            for seconds, name, sweep in _sweeps(settings, db, preparer, channels, forwarder):
                tasks.create_task(sweeps.every(seconds, name, sweep))
            tasks.create_task(
                consume(
                    stream=stream,
                    db=db,
                    group="notifier",
                    handlers={
                        "reminder.allowed": handlers.on_reminder_allowed,
                        "reminder.cancelled": handlers.on_reminder_cancelled,
                        "address.events": partial(handlers.on_contact_point_given, keys),
                    },
                    outbox=relay,
                    health=health,
                    after_commit=dispatcher.nudge,
                )
            )


def _lanes(
    settings: Settings,
    db: Pool,
    gate: Gate,
    relay: Outbox,
    completions: Completions,
    channels: Mapping[ChannelName, Channel],
    wake: asyncio.Event,
) -> dict[ChannelName, Lane]:
    """A lane a channel, as fast as its provider's limits allow."""
    paces = pace_of(settings)
    return {
        name: Lane(
            HandOff(
                db=db,
                gate=gate,
                relay=relay,
                completions=completions,
                name=name,
                channel=channel,
                channels=channels,
                retry_after=timedelta(seconds=settings.retry_seconds),
            ),
            *paces[name],
            wake,
        )
        for name, channel in channels.items()
    }


def _routes(
    settings: Settings,
    db: Pool,
    intake: Intake,
    inbound: Inbound,
    forwarder: Forwarder,
    callbacks: Callbacks,
) -> list[web.RouteDef]:
    """Lenders' doors, reviews, the links in e-mails and, with Twilio's token, its callbacks."""
    identity = settings.identity_key.get_secret_value().encode()
    api_keys = ApiKeys(db, settings.api_key_pepper.get_secret_value().encode())
    routes = [
        *lender_routes(db, intake, api_keys, identity),
        *review_routes(db, forwarder, api_keys),
        *unsubscribe_routes(db, inbound, identity),
    ]
    if settings.twilio_auth_token:
        signatures = Signatures(settings.twilio_auth_token.get_secret_value(), settings.public_url)
        routes += twilio_routes(signatures, callbacks)
        routes += inbound_routes(signatures, inbound, load_vocabulary())
    return routes


def _sweeps(
    settings: Settings,
    db: Pool,
    preparer: Preparer,
    channels: Mapping[ChannelName, Channel],
    forwarder: Forwarder,
) -> list[tuple[float, str, Callable[[], Awaitable[bool]]]]:
    """Every sweep: how often in seconds, its name in the log, what it does."""
    abandon_after = timedelta(seconds=settings.abandon_seconds)
    look_up_after = timedelta(seconds=settings.look_up_seconds)
    look_up = partial(sweeps.look_up, db, preparer, channels, look_up_after)
    return [
        (SWEEP_SECONDS, "expire_leases", partial(sweeps.expire_leases, db)),
        (SWEEP_SECONDS, "abandon", partial(sweeps.abandon, db, abandon_after)),
        (SWEEP_SECONDS, "forward_stops", forwarder.forward),
        (settings.look_up_seconds, "look_up", look_up),
        (GAUGE_SECONDS, "count_reviews", partial(reviews.measure, db)),
    ]


class SteppedClock(SettingsError):
    """This database's business clock stands still, but somebody real would get the messages."""


async def refuse_stepped_clock(db: Pool, settings: Settings) -> None:
    """A demo's or a test's database sends to the sandbox on this machine, or to nobody."""
    async with database.connected(db) as connection:
        if not await clock.is_stepped(connection):
            return
    foreign = settings.foreign_providers()
    if foreign or not settings.sandbox:
        raise SteppedClock(
            "the business clock of this database is stepped: set DUNWELL_SANDBOX=1 and point "
            f"{', '.join(foreign) or 'every provider'} at the sandbox on 127.0.0.1"
        )
