"""Manager: operations on what its server holds, from the main process. Microseconds each."""

import multiprocessing

import timing

BLOCK = 500


def dict_set(manager):
    shared = manager.dict()

    def run(n):
        for i in range(n):
            shared["key"] = i

    return run


def list_append(manager):
    shared = manager.list()

    def run(n):
        for i in range(n):
            shared.append(i)
        shared[:] = []

    return run


def queue(manager):
    shared = manager.Queue()

    def run(n):
        for i in range(n):
            shared.put(i)
            shared.get()

    return run


def lock(manager):
    shared = manager.Lock()

    def run(n):
        for _ in range(n):
            shared.acquire()
            shared.release()

    return run


def main():
    case, warm_ms, measure_ms = timing.arguments()
    measure = {"dict-set": dict_set, "list-append": list_append, "queue": queue, "lock": lock}[case]
    with multiprocessing.Manager() as manager:
        timing.report(timing.seconds_per_operation(measure(manager), BLOCK, warm_ms, measure_ms) * 1e6)


if __name__ == "__main__":
    main()
