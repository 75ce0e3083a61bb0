"""Shared memory: two children that increment one Value (microseconds for each
increment), and 100 MB to a child (milliseconds): through SharedMemory, and there
and back over a Pipe.
"""

import multiprocessing
from multiprocessing import shared_memory

import timing

BLOCK = 40_000
CHILDREN = 2
SIZE = 100 * 2**20


def increment(value, orders):
    lock = value.get_lock()
    while n := orders.recv():
        for _ in range(n):
            with lock:
                value.value += 1
        orders.send(n)


def value(warm_ms, measure_ms):
    number = multiprocessing.Value("i", 0)
    children = []
    for _ in range(CHILDREN):
        orders, theirs = multiprocessing.Pipe()
        child = multiprocessing.Process(target=increment, args=(number, theirs))
        child.start()
        children.append((orders, child))
    total = 0

    def run(n):
        nonlocal total
        for orders, _child in children:
            orders.send(n // CHILDREN)
        for orders, _child in children:
            orders.recv()
        total += n

    result = timing.seconds_per_operation(run, BLOCK, warm_ms, measure_ms) * 1e6
    for orders, child in children:
        orders.send(0)
        child.join()
    if number.value != total:
        raise SystemExit(f"{total} increments were made and the value is {number.value}")
    return result


def copy_out(name, orders):
    block = shared_memory.SharedMemory(name)
    # Always into the same memory, so that no allocator is measured; a bytearray's
    # own slice assignment would make another copy on the way.
    copy = bytearray(SIZE)
    view = memoryview(copy)
    while orders.recv():
        view[:] = block.buf[:SIZE]
        orders.send(copy[SIZE - 1])
    block.close()


def shared(_warm_ms, measure_ms):
    block = shared_memory.SharedMemory(create=True, size=SIZE)
    orders, theirs = multiprocessing.Pipe()
    child = multiprocessing.Process(target=copy_out, args=(block.name, theirs))
    child.start()
    data = bytearray(SIZE)
    turn = 0

    def run():
        nonlocal turn
        turn = (turn + 1) % 256
        data[SIZE - 1] = turn
        block.buf[:SIZE] = data
        orders.send(1)
        if orders.recv() != turn:
            raise SystemExit("the copy is one of something else")

    result = timing.seconds_each(run, 0, measure_ms) * 1e3
    orders.send(0)
    child.join()
    block.close()
    block.unlink()
    return result


def give_back(connection):
    while data := connection.recv_bytes():
        connection.send_bytes(data)


def pipe(_warm_ms, measure_ms):
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.Process(target=give_back, args=(theirs,))
    child.start()
    data = bytes(SIZE)

    def run():
        ours.send_bytes(data)
        if len(ours.recv_bytes()) != SIZE:
            raise SystemExit("some of it is missing")

    result = timing.seconds_each(run, 0, measure_ms) * 1e3
    ours.send_bytes(b"")
    child.join()
    return result


def main():
    case, warm_ms, measure_ms = timing.arguments()
    measure = {"value": value, "shared-memory": shared, "pipe": pipe}[case]
    timing.report(measure(warm_ms, measure_ms))


if __name__ == "__main__":
    main()
