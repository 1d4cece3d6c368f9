"""What happens to the sample book while time passes: payments, STOPs, disputes, consents."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import aiohttp

from services.trial.book import BEGIN
from services.trial.world import SMS_FROM, World

Row = Mapping[str, str]

PAY_SHARE = 0.35  # of the installments, on or after their due date
STOP_SHARE = 0.05  # of those with a phone, some days in
HARDSHIP_SHARE = 0.04
CONSENT_SHARE = 0.85  # of those whose law wants consent, gave it with the loan agreement

# What must be consented to before a machine may write: the TCPA's automated texts, New York City's
# electronic contact, Colombia's authorised channels.
CONSENTS = {"US": ("automated",), "US/New York City": ("channel",), "CO": ("channel",)}


@dataclass(frozen=True)
class Deed:
    """One thing that somebody does at an instant of business time."""

    at: datetime
    kind: str  # paid | stop | hardship | consent
    row: Row


@dataclass(frozen=True)
class Done:
    """A deed that was answered 2xx, and when on the real clock the answer came."""

    deed: Deed
    business_at: datetime
    answered_at: datetime


def deeds(rows: Sequence[Row], seed: int = 11) -> list[Deed]:
    """Everything that will happen, in order; the same seed tells the same story."""
    chance = random.Random(seed)
    made: list[Deed] = []
    for row in rows:
        due = datetime.combine(datetime.fromisoformat(row["due_date"]).date(), time(15), UTC)
        if row["paid"] or chance.random() < PAY_SHARE:
            at = BEGIN if row["paid"] else due + timedelta(days=chance.choice((-2, 0, 0, 2, 5, 9)))
            made.append(Deed(at, "paid", row))
        if not row["loan_id"].endswith("-1"):
            continue
        if _consents(row) and chance.random() < CONSENT_SHARE:
            made.append(Deed(BEGIN, "consent", row))
        if row["phone"] and chance.random() < STOP_SHARE:
            made.append(
                Deed(due + timedelta(days=chance.choice((-4, -2, 2)), hours=1), "stop", row)
            )
        elif chance.random() < HARDSHIP_SHARE:
            made.append(Deed(due + timedelta(days=chance.choice((-5, 2, 4))), "hardship", row))
    return sorted(made, key=lambda deed: deed.at)


class Actors:
    """The lender, the borrowers and an agent, acting at the doors."""

    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        self._world = world
        self._session = session
        self.done: list[Done] = []

    async def do(self, deed: Deed, business_now: datetime) -> None:
        """One deed, answered 2xx; anything else is a failure of the demo."""
        act = {
            "paid": self._pay,
            "stop": self._reply_stop,
            "hardship": self._hardship,
            "consent": self._consent,
        }[deed.kind]
        await act(deed.row, business_now)
        self.done.append(Done(deed, business_now, datetime.now(UTC)))

    async def put_in_force(self, pack: str) -> None:
        """One officer puts a pack in force, another approves."""
        officers = {"by": "officer@lender.example.com", "approved_by": "head@lender.example.com"}
        await self._post(self._world.url("policy") + "/v1/activations", {"pack": pack} | officers)

    async def _post(self, url: str, body: Mapping[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self._world.tenant_key}"}
        async with self._session.post(url, json=body, headers=headers) as answer:
            if answer.status >= 300:
                raise RuntimeError(f"{url}: {answer.status} {(await answer.text())[:300]}")

    async def _pay(self, row: Row, now: datetime) -> None:
        digits = 0 if row["currency"] in ("JPY", "KRW") else 2
        await self._post(
            self._world.url("scheduler") + "/v1/payments",
            {
                "payment_id": f"P-{row['loan_id']}",
                "loan_id": row["loan_id"],
                "borrower_ref": row["borrower_ref"],
                "installment_number": int(row["installment_number"]),
                "amount_minor": round(float(row["amount"]) * 10**digits),
                "currency": row["currency"],
                "received_at": _instant(now),
            },
        )

    async def _reply_stop(self, row: Row, now: datetime) -> None:
        words = {"es": "ALTO", "zh-CN": "退订", "pt": "PARAR"}.get(row["locale"], "STOP")
        body = {"from": row["phone"], "to": SMS_FROM, "body": words}
        await self._post(self._world.url("sandbox") + "/sandbox/inbound", body)

    async def _hardship(self, row: Row, now: datetime) -> None:
        await self._stop(row, now, "hardship", "written")

    async def _stop(self, row: Row, now: datetime, kind: str, form: str) -> None:
        await self._post(
            self._world.url("policy") + "/v1/stops",
            {
                "stop_id": str(_id("stop", row["borrower_ref"], kind)),
                "borrower_ref": row["borrower_ref"],
                "kind": kind,
                "form": form,
                "received_at": _instant(now),
                "source": "agent desk",
            },
        )

    async def _consent(self, row: Row, now: datetime) -> None:
        for to in _consents(row):
            await self._post(
                self._world.url("policy") + "/v1/consents",
                {
                    "consent_id": str(_id("consent", to, row["borrower_ref"])),
                    "borrower_ref": row["borrower_ref"],
                    "to": to,
                    "given_to": "actor",
                    "form": "electronic",
                    "received_at": _instant(now),
                    "source": "loan agreement",
                },
            )


def _consents(row: Row) -> tuple[str, ...]:
    country = row["country"]
    return CONSENTS.get(country, ()) + CONSENTS.get(f"{country}/{row['city']}", ())


def _id(*parts: str) -> UUID:
    return uuid5(NAMESPACE_URL, "/".join(("demo", *parts)))


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
