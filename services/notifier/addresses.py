"""An address from the outside: normalised, named by a pseudonym, sealed.  Errors never echo it."""

import base64
import os
import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple
from uuid import UUID
from zoneinfo import available_timezones

import msgspec
import phonenumbers
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from phonenumbers.timezone import time_zones_for_number

from services.events.loans import CandidateZone
from services.events.words import Basis, Place, PointKind, ProvidedBy
from services.runtime.identity import surrogate

NONCE_BYTES = 12
KEY_BYTES = 32
MAX_EMAIL = 254  # RFC 5321
MAX_TOKEN = 4096

# The part of RFC 5321's atoms that mail servers agree on; no quotes, comments or line breaks.
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\Z")
_TOKEN = re.compile(r"[!-~]+\Z")
_ZONES = available_timezones()


class InvalidAddress(ValueError):
    """What is wrong with an address, without the address."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


class Unsealable(ValueError):
    """A sealed address that none of our keys opens, or that was sealed for somebody else."""


class Address(NamedTuple):
    """A normalised address and what others may know of it."""

    kind: PointKind
    value: str
    country: str | None
    zones: tuple[CandidateZone, ...]
    place: Place = "personal"
    provided_by: ProvidedBy = "unknown"


class GivenAddress(msgspec.Struct, frozen=True, kw_only=True):
    """What a lender hands over; also the JSON inside a sealed `ContactPointGiven`."""

    kind: PointKind
    value: Annotated[str, msgspec.Meta(max_length=4_096)]  # FCM's longest token
    place: Place = "personal"  # what it is tied to; a mobile of one's own to none
    provided_by: ProvidedBy = "unknown"  # `employer`: known to be the employer's


def normalise(given: GivenAddress) -> Address:
    """The one spelling of an address, so that equal addresses get equal ids; or InvalidAddress."""
    return _spelled(given)._replace(place=given.place, provided_by=given.provided_by)


def _spelled(given: GivenAddress) -> Address:
    match given.kind:
        case PointKind.MOBILE | PointKind.LANDLINE:
            return _phone(given)
        case PointKind.EMAIL:
            return Address(given.kind, _email(given.value.strip()), None, ())
        case PointKind.APP:
            value = given.value.strip()
            if len(value) > MAX_TOKEN or not _TOKEN.match(value):
                raise InvalidAddress(
                    "is not a push token", "send the token as the app got it from FCM"
                )
            return Address(given.kind, value, None, ())


def contact_point_id(identity_key: bytes, tenant: str, address: Address) -> str:
    """Equal for all who share the address within a tenant; says nothing without the key."""
    # A landline and a mobile are one number; an e-mail address can't look like a number or a token.
    kind = "phone" if address.kind in (PointKind.MOBILE, PointKind.LANDLINE) else address.kind
    return f"cp_{surrogate(identity_key, tenant, f'contact_point/{kind}', address.value).hex}"


def _phone(given: GivenAddress) -> Address:
    try:
        number = phonenumbers.parse(given.value, None)
    except phonenumbers.NumberParseException:
        raise InvalidAddress(
            "is not an international phone number",
            "write it with + and the country code, for example +1 202 555 0143",
        ) from None
    # Not is_valid_number: its tables lag behind new ranges and leave out the ones kept for fiction.
    if not phonenumbers.is_possible_number(number):
        raise InvalidAddress("has a wrong number of digits for its country", "check the number")
    zones = tuple(
        CandidateZone(zone=zone, basis=Basis.PHONE_PREFIX)
        for zone in time_zones_for_number(number)
        if zone in _ZONES and zone != "Etc/Unknown"
    )
    value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Address(given.kind, value, _country(number), zones)


def _country(number: phonenumbers.PhoneNumber) -> str | None:
    region = phonenumbers.region_code_for_number(number)
    if region is None:
        regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
        region = regions[0] if len(regions) == 1 else None
    return None if region is None or len(region) != 2 else str(region)


def _email(value: str) -> str:
    local, at, domain = value.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode().lower() if domain else ""
    except UnicodeError:
        ascii_domain = ""
    address = f"{local}@{ascii_domain}"
    fits = len(local) <= 64 and len(address) <= MAX_EMAIL
    if not (at and fits and _LOCAL_PART.match(local) and _DOMAIN.match(ascii_domain)):
        raise InvalidAddress("is not an e-mail address", "write it as name@example.com")
    return address


class Keyring:
    """Keys for addresses at rest and on `address.events`: the first seals, all open."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.current = next(iter(keys))

    def seal(self, context: bytes, value: bytes) -> bytes:
        """AES-256-GCM: nonce, ciphertext and tag; opens only in the same context."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._ciphers[self.current].encrypt(nonce, value, context)

    def open(self, key_id: str, context: bytes, sealed: bytes) -> bytes:
        """What was sealed in this context, or Unsealable."""
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise Unsealable("no key of that id")
        try:
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise Unsealable("the seal is broken, or was made for another borrower") from None


def parse_keys(text: str) -> dict[str, bytes]:
    """`id:base64key,…` as DUNWELL_ADDRESS_KEYS has it; ValueError says what is wrong with which."""
    keys: dict[str, bytes] = {}
    for position, part in enumerate(filter(None, (p.strip() for p in text.split(","))), start=1):
        key_id, colon, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if not colon or not re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", key_id) or len(key) != KEY_BYTES:
            raise ValueError(
                f"key number {position} must read id:base64, the base64 of {KEY_BYTES} random bytes"
            )
        keys[key_id] = key
    if not keys:
        raise ValueError("needs at least one key, as id:base64")
    return keys


def at_rest(tenant: str, borrower_id: UUID, point_id: str) -> bytes:
    """The context an address is stored in: a row moved to another borrower won't open."""
    return f"{tenant}|{borrower_id}|{point_id}".encode()


def in_transit(tenant: str, borrower_ref: str) -> bytes:
    """The context of `ContactPointGiven.sealed`, which its sender knows."""
    return f"{tenant}|{borrower_ref}".encode()
