"""How long replies took, from how many took about how long.

Counts by bucket flow in, percentiles flow out. A bucket is seven per cent wide, so a percentile
is known to within some four: enough to see it change, and days are added up without their
replies. Pure.
"""

import math
from collections.abc import Mapping
from typing import Final

STEPS: Final = 10
"""Buckets to each doubling: bucket b begins at 2^(b/10) ms."""
LAST: Final = 200
"""What takes longer than its beginning, 17 minutes, is in it as well."""


def bucket_of(response_ms: float) -> int:
    """Where a reply belongs; one that was there at once is in bucket 0."""
    return min(LAST, math.floor(STEPS * math.log2(max(1.0, response_ms))))


def percentile(replies: Mapping[int, int], share: float) -> float | None:
    """The ms that this share (0 to 1) of the replies took at most; None without replies.

    `replies`: how many are in each bucket.
    """
    total = sum(replies.values())
    if total == 0:
        return None
    wanted = share * total
    passed = 0
    for bucket in sorted(replies):
        inside = replies[bucket]
        if inside > 0 and passed + inside >= wanted:
            part = max(0.0, (wanted - passed) / inside)
            return float(2 ** ((bucket + part) / STEPS))
        passed += inside
    return float(2 ** ((max(replies) + 1) / STEPS))
