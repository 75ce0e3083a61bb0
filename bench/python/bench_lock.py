"""Lock: acquire and release while nobody else wants it. Microseconds."""

import multiprocessing

import timing


def main():
    _case, warm_ms, measure_ms = timing.arguments()
    lock = multiprocessing.Lock()

    def run(n):
        for _ in range(n):
            lock.acquire()
            lock.release()

    timing.report(timing.seconds_per_operation(run, 50_000, warm_ms, measure_ms) * 1e6)


if __name__ == "__main__":
    main()
