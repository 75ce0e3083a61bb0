"""How the CPython side measures: the same rules as bench/measure.ts.

Only the standard library's lightest modules are imported here, because a
spawned child imports the main script, and with it this file, on CPython's time.
"""

import sys
import time


def median(numbers):
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def seconds_per_operation(run, block, warm_ms, measure_ms):
    """Median over blocks; run(n) does n operations."""
    end = time.perf_counter() + warm_ms / 1000
    while time.perf_counter() < end:
        run(block)
    blocks = []
    end = time.perf_counter() + measure_ms / 1000
    while True:
        begin = time.perf_counter()
        run(block)
        now = time.perf_counter()
        blocks.append((now - begin) / block)
        if now >= end and len(blocks) >= 3:
            return median(blocks)


def seconds_each(run, pause_ms, measure_ms, warm=3, at_least=5):
    """Median of single runs, with a pause before each that is not counted."""
    durations = []
    end = None
    for turn in range(1_000_000):
        time.sleep(pause_ms / 1000)
        begin = time.perf_counter()
        run()
        now = time.perf_counter()
        if turn < warm:
            end = now + measure_ms / 1000
            continue
        durations.append(now - begin)
        if now >= end and len(durations) >= at_least:
            return median(durations)


def arguments():
    """CASE WARM_MS MEASURE_MS, as the harness gives them."""
    case, warm_ms, measure_ms = sys.argv[1:4]
    return case, float(warm_ms), float(measure_ms)


def report(value):
    print('{"value": %r}' % value, flush=True)
