"""Pipe: one number to a child and back. Microseconds."""

import multiprocessing

import timing


def echo(connection):
    while (value := connection.recv()) >= 0:
        connection.send(value)


def main():
    _case, warm_ms, measure_ms = timing.arguments()
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.Process(target=echo, args=(theirs,))
    child.start()

    def run(n):
        for i in range(n):
            ours.send(i)
            ours.recv()

    value = timing.seconds_per_operation(run, 200, warm_ms, measure_ms) * 1e6
    ours.send(-1)
    child.join()
    timing.report(value)


if __name__ == "__main__":
    main()
