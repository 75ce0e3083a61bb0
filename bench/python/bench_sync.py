"""Semaphore acquire and release while it is free; an Event and a Condition to a
child and back; a JoinableQueue round: put here, get and task_done there, join
here. Microseconds.
"""

import multiprocessing

import timing

ROUNDS = 200


def semaphore(warm_ms, measure_ms):
    free = multiprocessing.Semaphore(4)

    def run(n):
        for _ in range(n):
            free.acquire()
            free.release()

    return timing.seconds_per_operation(run, 50_000, warm_ms, measure_ms) * 1e6


def answer_event(ping, pong, over):
    while True:
        ping.wait()
        if over.is_set():
            return
        ping.clear()
        pong.set()


def event(warm_ms, measure_ms):
    ping, pong, over = (multiprocessing.Event() for _ in range(3))
    child = multiprocessing.Process(target=answer_event, args=(ping, pong, over))
    child.start()

    def run(n):
        for _ in range(n):
            ping.set()
            pong.wait()
            pong.clear()

    value = timing.seconds_per_operation(run, ROUNDS, warm_ms, measure_ms) * 1e6
    over.set()
    ping.set()
    child.join()
    return value


# Both sides hold the lock but while they wait, so whoever has it knows that
# the other one waits.
def answer_condition(there, back, over):
    with there:
        back.notify()  # we are there
        while True:
            there.wait()
            back.notify()
            if over.is_set():
                return


def condition(warm_ms, measure_ms):
    lock = multiprocessing.Lock()
    there, back = multiprocessing.Condition(lock), multiprocessing.Condition(lock)
    over = multiprocessing.Event()
    child = multiprocessing.Process(target=answer_condition, args=(there, back, over))

    def run(n):
        for _ in range(n):
            there.notify()
            back.wait()

    with lock:
        child.start()
        back.wait()
        value = timing.seconds_per_operation(run, ROUNDS, warm_ms, measure_ms) * 1e6
        over.set()
        there.notify()
        back.wait()
    child.join()
    return value


def finish(queue):
    value = 0
    while value >= 0:
        value = queue.get()
        queue.task_done()


def joinable(warm_ms, measure_ms):
    queue = multiprocessing.JoinableQueue()
    child = multiprocessing.Process(target=finish, args=(queue,))
    child.start()

    def run(n):
        for i in range(n):
            queue.put(i)
            queue.join()

    value = timing.seconds_per_operation(run, ROUNDS, warm_ms, measure_ms) * 1e6
    queue.put(-1)
    child.join()
    return value


def main():
    case, warm_ms, measure_ms = timing.arguments()
    measure = {
        "semaphore": semaphore,
        "event": event,
        "condition": condition,
        "joinable": joinable,
    }[case]
    timing.report(measure(warm_ms, measure_ms))


if __name__ == "__main__":
    main()
