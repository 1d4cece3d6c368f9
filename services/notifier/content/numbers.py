"""Whether a message states an amount of money."""

import re

# A currency's sign or code (as babel writes them) beside a number, before or after it.
_MONEY = (
    r"(?:[$€£¥₹₱₫฿₩₽₺₦₡₲₴৳﷼]|\b[A-Z]{3}|\b(?:Rs|Rp|RM|Kz|KSh|Ksh|Bs|Lps|zł|kr|Fr|S/)\.?"
    r"|人民币|元|रु\.?|रुपये|reais|pesos|euros|dollars|rupees|rupiah)"
)
_NUMBER = "\\d[\\d.,'’ \u00a0\u202f]*"
_AMOUNT = re.compile(rf"{_MONEY}\s?-?{_NUMBER}|{_NUMBER}\s?{_MONEY}")


def states_amount(*texts: str) -> bool:
    """In any of the texts."""
    return any(_AMOUNT.search(text) for text in texts)
