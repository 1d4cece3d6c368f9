"""`python -m tests.openapi.fill`: writes the structs of the code into the OpenAPI documents."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from services.events.notices import DutyArisen, NoticeSent
from services.events.permits import RedeemAnswer, RedeemRequest
from services.events.stops import (
    ConsentGiven,
    ConsentRevoked,
    PreferenceStated,
    StopLifted,
    StopRecorded,
)
from services.notifier.doors import PutContactPoints
from services.notifier.reviews import ReviewAnswer, Settling
from services.policy.activation import Activation, Deactivation
from services.policy.clearances.doors import NewLimits
from services.policy.clearances.question import Question
from services.policy.clearances.reports import Report
from services.policy.doors import Paid
from services.scheduler import bodies

SERVICES = Path(__file__).parents[2] / "services"
MARK = "    # The structs of the code:\n"
REF = "#/components/schemas/{name}"


class Body(NamedTuple):
    """A struct as a door takes it: some fields come from the key or the path."""

    struct: type
    elsewhere: tuple[str, ...] = ()


# fmt: off
BODIES: dict[str, dict[str, Body]] = {
    "scheduler": {
        struct.__name__: Body(struct)
        for struct in (
            bodies.BorrowerBody, bodies.LoanBody, bodies.BulkBody, bodies.PaymentBody,
            bodies.ReversalBody, bodies.CloseBody,
        )
    },
    "policy": {
        **{
            struct.__name__: Body(struct)
            for struct in (
                RedeemRequest, RedeemAnswer, Paid, Activation, Deactivation, Question, Report,
                NewLimits,
            )
        },
        "StopBody": Body(StopRecorded, ("tenant",)),
        "LiftBody": Body(StopLifted, ("tenant", "stop_id")),
        "ConsentBody": Body(ConsentGiven, ("tenant",)),
        "RevokeBody": Body(ConsentRevoked, ("tenant", "consent_id")),
        "PreferenceBody": Body(PreferenceStated, ("tenant",)),
        "NoticeBody": Body(NoticeSent, ("tenant",)),
        "DutyBody": Body(DutyArisen, ("tenant",)),
    },
    "notifier": {
        struct.__name__: Body(struct) for struct in (PutContactPoints, Settling, ReviewAnswer)
    },
}
# fmt: on


def schemas(service: str) -> dict[str, Any]:
    """The schemas of a service's bodies and answers, and of what they are made of."""
    named = BODIES[service]
    refs, found = msgspec.json.schema_components(
        [body.struct for body in named.values()], ref_template=REF
    )
    for (name, body), ref in zip(named.items(), refs, strict=True):
        own = found.pop(ref["$ref"].rpartition("/")[2])
        own["required"] = [f for f in own.get("required", []) if f not in body.elsewhere]
        if not own["required"]:
            del own["required"]
        found[name] = own
    plain: dict[str, Any] = _plain(found)
    return {name: plain[name] for name in sorted(plain)}


def document(service: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path(service).read_text("utf-8"))
    return found


def path(service: str) -> Path:
    return SERVICES / service / "openapi.yaml"


def _plain(value: Any) -> Any:
    """Without the code's own titles and sentences; patterns as ECMA 262 has them."""
    if isinstance(value, dict):
        return {
            key: each.replace("\\Z", "$") if key == "pattern" else _plain(each)
            for key, each in value.items()
            if not (key in ("title", "description") and isinstance(each, str))
        }
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def main() -> None:
    for service in BODIES:
        written = path(service).read_text("utf-8")
        head = written[: written.index(MARK) + len(MARK)]
        lines = []
        for name, schema in schemas(service).items():
            one = yaml.safe_dump(
                {name: schema}, default_flow_style=None, sort_keys=False, width=150
            )
            lines += [f"    {line}\n" for line in one.splitlines()]
        path(service).write_text(head + "".join(lines), "utf-8")


if __name__ == "__main__":
    main()
