"""What the metrics cost: one observation, and one scrape.

    python bench/metrics.py

Prints microseconds for each kind of observation and, for a scrape of everything that a busy
service counts, its size, its processor time and the longest time for which it holds the event
loop. Processor time of the thread, so that a busy machine does not count.
"""

import asyncio
import json
import time
from collections.abc import Callable

from voiceagent.metrics import Metrics
from voiceagent.observability.exposition import exposition

TIMES = 200_000
SCRAPES = 50
ROUTES, TOOLS = 20, 20


def main() -> None:
    """Measure and print."""
    metrics = busy()
    labelled = metrics.playout_gaps.labels("late")
    row = {
        "counter_us": cost_us(metrics.frames_in.inc),
        "histogram_us": cost_us(lambda: metrics.response_seconds.observe(0.7)),
        "labelled_us": cost_us(labelled.inc),
        "lookup_and_inc_us": cost_us(lambda: metrics.playout_gaps.labels("late").inc()),
    }
    print(json.dumps(row | asyncio.run(scrape(metrics))))


def busy() -> Metrics:
    """More series than the service has."""
    metrics = Metrics()
    for number in range(ROUTES):
        metrics.webhook_seconds.labels(f"/webhook/{number}").observe(0.1)
        metrics.webhook_answers.labels(f"/webhook/{number}", 200).inc()
    for number in range(TOOLS):
        metrics.tool_seconds.labels(f"tool{number}").observe(0.1)
    return metrics


def cost_us(observe: Callable[[], object]) -> float:
    """Of one, in microseconds."""
    began = time.thread_time()
    for _ in range(TIMES):
        observe()
    return round((time.thread_time() - began) / TIMES * 1e6, 2)


async def scrape(metrics: Metrics) -> dict[str, float]:
    """Of several scrapes: the whole, and the longest turn of the loop in the median scrape."""
    longest, whole, text = [], [], b""
    for _ in range(SCRAPES):
        turns: list[float] = []
        task = asyncio.create_task(watch(turns))
        await asyncio.sleep(0)
        began = time.thread_time()
        text = await exposition(metrics)
        whole.append(time.thread_time() - began)
        task.cancel()
        longest.append(max(turns))
    return {
        "lines": text.count(b"\n"),
        "kilobytes": round(len(text) / 1024, 1),
        "scrape_ms": round(sorted(whole)[SCRAPES // 2] * 1000, 2),
        "longest_turn_ms_median": round(sorted(longest)[SCRAPES // 2] * 1000, 2),
        "longest_turn_ms_worst": round(max(longest) * 1000, 2),
    }


async def watch(turns: list[float]) -> None:
    """Has its turn between the turns of the scrape."""
    while True:
        before = time.thread_time()
        await asyncio.sleep(0)
        turns.append(time.thread_time() - before)


if __name__ == "__main__":
    main()
