"""A service account's key file as Google hands it out, of a key made here."""

import json
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@cache
def private_key() -> str:
    """One key a run: making it takes half a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def service_account(folder: Path, token_uri: str) -> Path:
    """A key file as Google hands it out, of a key made here."""
    path = folder / "service-account.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "dunwell-test",
                "client_email": "sender@example.com",
                "private_key": private_key(),
                "private_key_id": "1",
                "token_uri": token_uri,
            }
        )
    )
    return path
