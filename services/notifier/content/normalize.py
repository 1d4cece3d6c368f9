"""A text as the lists see it: one spelling for each of the many ways to write the same words.

The result is a row of tokens between single spaces, with one at either end, so that " word " finds
a word and nothing inside another.  " . " ends a sentence, " , " a clause.
"""

import re
import unicodedata

# Soft hyphen, zero-width space and joiners, direction marks, word joiner, byte order mark.
_INVISIBLE = dict.fromkeys(
    [0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F),
     *range(0x2060, 0x2065)]
)  # fmt: skip
# Letters of other scripts that look like Latin ones; none of our lists is in those scripts.
_LOOKALIKES = str.maketrans("аеорсухіѕјԁһкмтвнαορνιτκ", "aeopcyxisjdhkmtbhaopvitk")
_ENDS = ".!?;…。।॥"
_PAUSES = ',:、،()[]{}"“”«»「」『』【】《》<>'
_SILENT = "'’‘`´ʼ"
_SPACES = "\t\v\f-–—‐‑−_/\\|*+~^=#%&@$€£¥₹·•¿¡º°ª"
_MARKS = str.maketrans(
    {c: " . " for c in _ENDS}
    | {c: " , " for c in _PAUSES}
    | {c: "" for c in _SILENT}
    | {c: " " for c in _SPACES}
)
_URL = re.compile(r"(?:https?://|www\.)\S+")
_INSIDE_NUMBER = re.compile(r"(?<=\d)[.,:'](?=\d)")
_NOT_ASCII_DIACRITIC = re.compile("[\u0300-\u036f]+")
# Traditional to simplified, for the characters that our Chinese lists use.
_SIMPLIFIED = str.maketrans(
    "訴調審認執強財產凍結監獄債務還償貸銀為騙無恥賬帳戶號話聯繫電請與過關係單這個們員學親鄰開佈發賴從處傳媽閉殺"
    "讓後將錢應書費檔黃爭議辦門種對險報遲並總賤違約徵資機構歸額獲達嗎輕嚴點擊訂複復頭斷燒貨裡樣麼說誰現實檢傷體",
    "诉调审认执强财产冻结监狱债务还偿贷银为骗无耻账账户号话联系电请与过关系单这个们员学亲邻开布发赖从处传妈闭杀"
    "让后将钱应书费档黄争议办门种对险报迟并总贱违约征资机构归额获达吗轻严点击订复复头断烧货里样么说谁现实检伤体",
)
_HAN = re.compile("[\u3400-\u9fff]")
_BETWEEN_HAN = re.compile("(?<=[\u3400-\u9fff])[ \\t\u3000*·•.\\-_|/+~^#&@$=]+(?=[\u3400-\u9fff])")

# A digit or sign inside a word, or before it: arr3st, p0lice, @rrest.  Not 12th, 3rd, 5pm, A4.
_LEET = re.compile(
    r"(?<![\w.@$!])[0134578@$!]*[a-z]+(?:[0134578@$!]+[a-z]+)+|(?<![\w.@$!,])[@$!347][a-z]{3,}"
)
_UNLEET = str.maketrans("01345789@$!", "oleastbgasi")
# Four or more single letters with one sign or space between: a r r e s t, a.r.r.e.s.t
_SPELLED = re.compile(r"(?<![a-z0-9])[a-z](?:[ .*_\-+|]{1,2}[a-z](?![a-z0-9])){3,}")
_NOT_LETTERS = re.compile(r"[^a-z]+")

URL_TOKEN = "urllink"


def fold(text: str) -> str:
    """NFKC, lower case, without invisible characters or Latin accents; links become one word."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_INVISIBLE))
        if not text.isascii():
            decomposed = unicodedata.normalize("NFD", text)
            text = unicodedata.normalize("NFC", _NOT_ASCII_DIACRITIC.sub("", decomposed))
            text = text.casefold().translate(_LOOKALIKES)
    text = text.lower()
    if "://" in text or "www." in text:
        text = _URL.sub(f" {URL_TOKEN} ", text)
    return text


def tokens(folded: str) -> str:
    """The folded text as tokens between single spaces."""
    if not folded.isascii() and _HAN.search(folded):
        folded = _BETWEEN_HAN.sub("", folded).translate(_SIMPLIFIED)
    # A blank line ends a sentence; a single line break may be mere wrapping.
    text = _INSIDE_NUMBER.sub("", folded).replace("\n\n", " . ").translate(_MARKS)
    return f" {' '.join(text.split())} "


def unmasked(folded: str) -> str | None:
    """The text with letters that were masked as digits or spelled apart restored, if any were."""
    plain = _SPELLED.sub(lambda found: _NOT_LETTERS.sub("", found[0]), folded)
    plain = _LEET.sub(lambda found: found[0].translate(_UNLEET), plain)
    return plain if plain != folded else None


def has_han(text: str) -> bool:
    """Whether words are not divided by spaces in it."""
    return _HAN.search(text) is not None
