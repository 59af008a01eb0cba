r"""Units of answers: ``5\text{ cm}`` is 5 and a unit, which counts only against an answer that has another unit.

Like MATH's own scoring, this strips units, since most replies leave them out. But where both answers name a unit of
measurement, ``5 cm`` is not ``5 m``. Other words after a number (``18 integers``) never count.
"""

import re
from functools import lru_cache

# One line per unit: the name that it is compared by, and its spellings.
_SPELLINGS = """
mm millimeter millimeters millimetre millimetres
cm cms centimeter centimeters centimetre centimetres
m meter meters metre metres
km kms kilometer kilometers kilometre kilometres
in inch inches
ft foot feet
yd yds yard yards
mi mile miles
mg milligram milligrams
g gm gms gram grams
kg kgs kilogram kilograms
lb lbs pound pounds
oz ounce ounces
ton tons tonne tonnes
ms millisecond milliseconds
s sec secs second seconds
min mins minute minutes
h hr hrs hour hours
day days
week weeks
month months
year years yr yrs
l liter liters litre litres
ml milliliter milliliters millilitre millilitres
gal gallon gallons
qt quart quarts
pint pints
cup cups
dollar dollars usd \\$ bucks
cent cents \u00a2
penny pennies
euro euros eur \u20ac
gbp \u00a3
rupee rupees \u20b9
yen \u00a5
deg degree degrees \\circ \u00b0
rad radian radians
celsius c
fahrenheit f
kelvin
hz hertz
newton newtons n
joule joules j
watt watts w
volt volts v
"""
_NAMES = {word: line.split()[0] for line in _SPELLINGS.strip().splitlines() for word in line.split()}
_CURRENCY = r"\\\$|\\(?:pounds|euro)(?![a-zA-Z])|[\u20ac\u00a3\u00a5\u20b9]"
# A unit is words after a number. These are no units: they change what the number means.
_NO_UNITS = (
    r"(?!(?:am|pm|a\.m|p\.m|AM|PM|hundred|thousand|million|billion|trillion|dozen|tenths?|hundredths?|thousandths?|"
    r"half|halves|thirds?|fourths?|fifths?|quarters?|sixths?|sevenths?|eighths?|ninths?|"
    r"factorial|squared|cubed|choose|root|above|below|base|mod|modulo|to|in(?=\s+[a-z])|out|of|"
    r"plus|minus|times|over|and|or|xor|not|more|less|fewer|remainder|r|if|where|when|for|with|is|are|north|south|east|west|even|odd|true|false|"
    r"[Jj]anuary|[Ff]ebruary|[Mm]arch|[Aa]pril|[Mm]ay|[Jj]une|[Jj]uly|[Aa]ugust|[Ss]eptember|[Oo]ctober|[Nn]ovember|"
    r"[Dd]ecember|BC|AD|BCE|CE)\b)"
)
_POWER = r"(?:\s*\^\s*(?:\d|\{\s*\d\s*\}))?"
# One letter may be a variable or a constant, as in 4\\text{i}, unless it is a unit.
_LETTERS = "(?:[a-zA-Z]{2,}|[mgshlLNJWVCFK])"
_WORD = rf"{_LETTERS}(?![a-zA-Z]){_POWER}"
_WORDS = rf"{_NO_UNITS}{_WORD}(?:[\s/.-]+(?:{_NO_UNITS}|(?=squared|cubed)){_WORD})*\.?\s*"
_AFTER = r"(?<=[\d)}\]a-zA-Z!])"
_TEXT_UNIT = re.compile(
    rf"{_AFTER}\s*(\\text\s*\{{\s*{_WORDS}\}}{_POWER}(?:\s*[/\s]\s*\\text\s*\{{\s*{_WORDS}\}}{_POWER})*)"
)
_SHORT = "mm|cm|km|ft|in|mi|yd|kg|gm|mg|lb|lbs|oz|hr|hrs|min|sec|ml|mph|kph|deg|sq|cu"
_PLAIN_UNIT = re.compile(
    rf"(?<=[\d)}}])\s*(?:\s(?P<space>{_NO_UNITS}(?:(?:{_SHORT})\b|[a-zA-Z]{{4,}}|(?:day|way|mil|cup|pen|man|men)s?\b)"
    rf"\.?(?:\s+{_NO_UNITS}(?:(?:{_SHORT})\b|[a-zA-Z]{{3,}})\.?)*)"
    rf"|(?P<close>cm|mm|km|kg|ft|mph))(?:/(?:{_SHORT}|[a-z]{{4,}}))?{_POWER}\s*$"
)
_DEGREES = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))|\\degree(?![a-zA-Z])|\u00b0")
_TRIGONOMETRY = re.compile(r"\\?(?:sin|cos|tan|cot|sec|csc)(?![a-z])")


def split_unit(text: str) -> tuple[str, str]:
    r"""A formula without its units, and the unit of measurement that it names; the latter is empty if there is none.

    Degrees inside trigonometric functions stay: the sine of 30 degrees is not that of 30. ``5 million`` stays whole.
    """
    units: list[str] = []

    def take(match: re.Match[str]) -> str:
        units.append(match[match.lastgroup or 0])
        return ""

    if not _TRIGONOMETRY.search(text):
        text = _DEGREES.sub(r"\\text{deg}", text)
    text = re.sub(rf"(?:{_CURRENCY})\s*(?=-?[\d.])|(?<=\d)\s*(?:{_CURRENCY})", take, text)
    text = _TEXT_UNIT.sub(take, text)
    shorter = _PLAIN_UNIT.sub(take, text)
    # "degrees Fahrenheit" after a formula in dollars, say, may leave nothing of value: then the words are the answer.
    known = {name for name in map(measurement, units) if name}
    return (shorter if shorter.strip() else text), known.pop() if len(known) == 1 else " ".join(sorted(known))


@lru_cache(maxsize=4096)
def measurement(unit: str) -> str:
    r"""The name that a unit is compared by (``cm^2`` for ``square centimeters``); empty for other words."""
    words = re.sub(r"\\text\s*", " ", unit).replace("{", " ").replace("}", " ")
    words = re.sub(r"\bper\b", "/", words).replace("mph", "mi/h").replace("kph", "km/h")
    names: list[str] = []
    power = ""
    for word in re.findall(r"\\?[a-zA-Z$]+|[/^]\s*\d?|\d|[^\s\w]", words):
        if word.lower() in ("square", "sq", "squared"):
            power = "^2"
        elif word.lower() in ("cubic", "cu", "cubed"):
            power = "^3"
        elif word.startswith(("^", "/")):
            names.append("".join(word.split()))
        elif word in _NAMES or word.lower() in _NAMES:
            names.append(_NAMES.get(word) or _NAMES[word.lower()])
        elif word.isalpha():
            return ""
    return "".join(names) + power


def conflicting(first: str, second: str) -> bool:
    """Whether two answers name units of measurement that differ; degrees may be of any kind."""
    if not first or not second or first == second:
        return False
    return not ("deg" in (first, second) and first.startswith("deg") and second.startswith("deg"))
