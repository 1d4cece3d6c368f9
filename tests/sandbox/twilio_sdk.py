"""Twilio's own SDK, pointed at the sandbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from services.sandbox.settings import ACCOUNT_SID, AUTH_TOKEN
from tests.sandbox.conftest import Outside

# The SDK's own transport still uses what aiohttp deprecated.
QUIET = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

SENDER = "+12025550100"
BORROWER = "+12025550123"


@asynccontextmanager
async def sdk(url: str, token: str = AUTH_TOKEN) -> AsyncIterator[Client]:
    async with AsyncTwilioHttpClient() as transport:
        client = Client(ACCOUNT_SID, token, http_client=transport)
        client.api.base_url = url
        yield client


async def send(outside: Outside, to: str = BORROWER, **more: Any) -> Any:
    async with sdk(outside.url) as client:
        call = client.messages.create_async(
            to=to, **({"from_": SENDER, "body": "Your installment is due"} | more)
        )
        return await asyncio.wait_for(call, 30)


async def until(true: Any, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
