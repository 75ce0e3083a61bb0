"""Queue: a number to a child and back (microseconds), and one way (per second)."""

import multiprocessing

import timing


def echo(inbox, outbox):
    while (value := inbox.get()) >= 0:
        outbox.put(value)


def consume(inbox, seen, block):
    count = 0
    while inbox.get() >= 0:
        count += 1
        if count % block == 0:
            seen.put(count)


def round_trip(warm_ms, measure_ms):
    there, back = multiprocessing.Queue(), multiprocessing.Queue()
    child = multiprocessing.Process(target=echo, args=(there, back))
    child.start()

    def run(n):
        for i in range(n):
            there.put(i)
            back.get()

    value = timing.seconds_per_operation(run, 200, warm_ms, measure_ms) * 1e6
    there.put(-1)
    child.join()
    return value


def one_way(warm_ms, measure_ms):
    block = 20_000
    items, seen = multiprocessing.Queue(), multiprocessing.Queue()
    child = multiprocessing.Process(target=consume, args=(items, seen, block))
    child.start()

    def run(n):
        for i in range(n):
            items.put(i)
        seen.get()

    value = 1 / timing.seconds_per_operation(run, block, warm_ms, measure_ms)
    items.put(-1)
    child.join()
    return value


def main():
    case, warm_ms, measure_ms = timing.arguments()
    measure = {"round-trip": round_trip, "one-way": one_way}[case]
    timing.report(measure(warm_ms, measure_ms))


if __name__ == "__main__":
    main()
