"""Pool and ProcessPoolExecutor with two processes: microseconds each, rates per second, speed-up.

The context is fork, CPython's fastest, where there is one: the workers are made before the clock starts.
"""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import timing

PROCESSES = 2
ITEMS = 200_000
SINGLES = 5_000
CALLS = 2_000
SPINS = 3_000_000
PARTS = 8


def increment(n):
    return n + 1


def spin(count):
    total = 0
    for i in range(count):
        total = (total * 31 + i) & 1048575
    return total


def in_pool(measure):
    with multiprocessing.Pool(PROCESSES) as pool:
        return measure(pool)


def apply(warm_ms, measure_ms):
    def measure(pool):
        def run(n):
            for i in range(n):
                pool.apply(increment, (i,))

        return timing.seconds_per_operation(run, 100, warm_ms, measure_ms) * 1e6

    return in_pool(measure)


def apply_async(warm_ms, measure_ms):
    def measure(pool):
        def run(n):
            for result in [pool.apply_async(increment, (i,)) for i in range(n)]:
                result.get()

        return 1 / timing.seconds_per_operation(run, CALLS, warm_ms, measure_ms)

    return in_pool(measure)


def map_200k(warm_ms, measure_ms):
    def measure(pool):
        def run():
            pool.map(increment, range(ITEMS))

        return timing.seconds_each(run, 0, measure_ms) * 1e3

    return in_pool(measure)


def map_singly(warm_ms, measure_ms):
    def measure(pool):
        def run(n):
            pool.map(increment, range(n), chunksize=1)

        return 1 / timing.seconds_per_operation(run, SINGLES, warm_ms, measure_ms)

    return in_pool(measure)


def submit(warm_ms, measure_ms):
    with ProcessPoolExecutor(PROCESSES) as executor:

        def run(n):
            for future in [executor.submit(increment, i) for i in range(n)]:
                future.result()

        return 1 / timing.seconds_per_operation(run, CALLS, warm_ms, measure_ms)


def speed_up(warm_ms, measure_ms):
    """How many times faster two processes are than one."""

    def measure(pool):
        def alone():
            for _ in range(PARTS):
                spin(SPINS // 10)

        def together():
            pool.map(spin, [SPINS // 10] * PARTS, chunksize=1)

        return timing.seconds_each(alone, 0, measure_ms) / timing.seconds_each(together, 0, measure_ms)

    return in_pool(measure)


def main():
    case, warm_ms, measure_ms = timing.arguments()
    warm_ms *= 5  # as long as rows/pool.ts
    cases = {
        "apply": apply,
        "apply-async": apply_async,
        "map": map_200k,
        "map-singly": map_singly,
        "submit": submit,
        "speed-up": speed_up,
    }
    timing.report(cases[case](warm_ms, measure_ms))


if __name__ == "__main__":
    main()
