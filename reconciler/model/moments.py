"""Moments as texts and as numbers, by arithmetic alone: nothing here asks a clock.

Days to dates and back: https://howardhinnant.github.io/date_algorithms.html
"""

import re
from functools import lru_cache
from typing import Final

_TEXT: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(?:Z|[+]00:00)")
_DAY: Final = 86400


def unix_seconds(moment: str) -> float:
    """Return the Unix seconds of an RFC 3339 text in UTC; 0 for any other text."""
    match = _TEXT.fullmatch(moment)
    if match is None:
        return 0.0
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    shifted = year - (month <= 2)
    era, year_of_era = shifted // 400, shifted % 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
    return days * _DAY + hour * 3600 + minute * 60 + second + float(match[7] or 0)


def rfc3339(seconds: float) -> str:
    """`2026-11-23T12:40:01Z`, as Kubernetes writes it; empty for 0, which stands for "not known"."""
    return _text(int(seconds)) if seconds else ""


@lru_cache(maxsize=1 << 15)
def _text(whole: int) -> str:
    days, rest = divmod(whole, _DAY)
    era, day_of_era = divmod(days + 719468, 146097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = year_of_era + era * 400 + (month <= 2)
    return f"{year:04}-{month:02}-{day:02}T{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}Z"
