"""How many SMS segments a text costs: GSM-7 or UCS-2 (3GPP TS 23.038, TS 23.040)."""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")  # each costs two

GSM7_SINGLE, GSM7_PART = 160, 153
UCS2_SINGLE, UCS2_PART = 70, 67


def is_gsm7(text: str) -> bool:
    """Whether the text fits the cheap alphabet; U+00A0, for one, does not."""
    return all(c in _BASIC or c in _EXTENDED for c in text)


def segments(text: str) -> int:
    """How many messages a carrier makes, and bills, of the text."""
    if is_gsm7(text):
        units = len(text) + sum(c in _EXTENDED for c in text)
        return _parts(units, GSM7_SINGLE, GSM7_PART)
    return _parts(len(text.encode("utf-16-be")) // 2, UCS2_SINGLE, UCS2_PART)


def _parts(units: int, single: int, part: int) -> int:
    return 1 if units <= single else -(-units // part)
