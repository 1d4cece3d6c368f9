"""The doors of each service as an application serves them, on whatever they are given."""

from typing import Any

from aiohttp import web

from services.notifier.callbacks import Callbacks, Signatures, twilio_routes
from services.notifier.doors import lender_routes
from services.notifier.inbound import Inbound, inbound_routes
from services.notifier.replies import load_vocabulary
from services.notifier.review_doors import review_routes
from services.notifier.unsubscribe import unsubscribe_routes
from services.policy.doors import Doors as PolicyDoors
from services.scheduler.doors import Doors as SchedulerDoors

NOBODY: Any = None  # routes are listed without asking anybody


def scheduler_routes(
    context: Any = NOBODY, db: Any = NOBODY, keys: Any = NOBODY, relay: Any = NOBODY,
    paid: Any = NOBODY,
) -> list[web.RouteDef]:  # fmt: skip
    return list(SchedulerDoors(context, db, keys, relay, paid).routes())


def policy_routes(
    context: Any = NOBODY, db: Any = NOBODY, keys: Any = NOBODY, outbox: Any = NOBODY
) -> list[web.RouteDef]:
    doors = PolicyDoors(context=context, db=db, keys=keys, outbox=outbox, sandbox=False)
    return doors.routes()


def notifier_routes(
    db: Any = NOBODY, relay: Any = NOBODY, intake: Any = NOBODY, keys: Any = NOBODY,
    forwarder: Any = NOBODY, identity: bytes = b"",
) -> list[web.RouteDef]:  # fmt: skip
    signatures = Signatures("token", "http://127.0.0.1")
    inbound = Inbound(db, relay, forwarder, identity)
    return [
        *lender_routes(db, intake, keys, identity),
        *twilio_routes(signatures, Callbacks(db, relay)),
        *inbound_routes(signatures, inbound, load_vocabulary()),
        *review_routes(db, forwarder, keys),
        *unsubscribe_routes(db, inbound, identity),
    ]


ROUTES = {"scheduler": scheduler_routes, "policy": policy_routes, "notifier": notifier_routes}
