"""Amounts of money, and a text with its numbers taken out: the same for everybody who gets it."""

import re

# A currency's sign or code (as babel writes them) beside a number, before or after it.
_MONEY = (
    r"(?:(?:US|R|CN|HK|NT|A|CA|MX|NZ|JP)?[$€£¥₹₱₫฿₩₽₺₦₡₲₴৳﷼]|(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])"
    r"|(?<![A-Za-z])(?:Rs|Rp|RM|Kz|KSh|Ksh|Bs|Lps|zł|kr|Fr|S/)\.?"
    r"|人民币|元|रु\.?|रुपये|reais|pesos|euros|dollars|rupees|rupiah)"
)
_NUMBER = "[0-9][0-9.,'’ \u00a0\u202f]*"
_AMOUNT = re.compile(rf"{_MONEY}\s?-?{_NUMBER}|{_NUMBER}\s?{_MONEY}")

# Not where letters follow (arr3st), nor after small ones (p0): those digits may stand for letters.
_COUNTED = re.compile(r"(?<![a-z0-9])[0-9](?:[0-9.,:/'-]*[0-9])?(?![A-Za-z0-9])")
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
SOME_LINK = "https://0"


def states_amount(*texts: str) -> bool:
    """In any of the texts."""
    return any(_AMOUNT.search(text) for text in texts)


def skeleton(text: str) -> str:
    """The text with every number written 0 and every link alike.

    What a reminder says differs from borrower to borrower by these, so that a template's words need
    to be read only once.
    """
    return _COUNTED.sub("0", without_links(text))


def without_links(text: str) -> str:
    """Every link written alike: their letters and digits are nobody's words or numbers."""
    return _URL.sub(SOME_LINK, text) if "://" in text or "www." in text else text
