"""The load for every server row: the same program against each server under test.

    load_client.py echo CLIENTS PORT WARM_MS MEASURE_MS     requests per second
    load_client.py connect COUNT PORT WARM_MS MEASURE_MS    connections per second
    load_client.py bulk CLIENTS PORT WARM_MS MEASURE_MS     megabytes per second there and back
    load_client.py idle COUNT PORT WARM_MS MEASURE_MS PID   megabytes that the server PID needs for an idle connection

One process and no threads: several clients are non-blocking sockets in one
epoll, so that the client costs less than any of the servers it drives.
"""

import select
import socket
import sys
import time

import timing

PAYLOAD = b"x" * 64


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def receive(connection):
    missing = len(PAYLOAD)
    while missing:
        data = connection.recv(missing)
        if not data:
            raise SystemExit("the server closed a connection early")
        missing -= len(data)


def one_client(connection):
    def run(n):
        send, recv, size = connection.sendall, connection.recv, len(PAYLOAD)
        for _ in range(n):
            send(PAYLOAD)
            if (got := len(recv(size))) != size:
                if not got:
                    raise SystemExit("the server closed a connection early")
                # A reply in pieces is rare; the rest is fetched off the fast path.
                while got < size:
                    more = len(recv(size - got))
                    if not more:
                        raise SystemExit("the server closed a connection early")
                    got += more

    return run


def many_clients(connections):
    poller = getattr(select, "epoll", select.poll)()
    by_fd = {}
    for connection in connections:
        connection.setblocking(False)
        poller.register(connection.fileno(), 1)  # EPOLLIN and POLLIN are both 1
        by_fd[connection.fileno()] = (connection.recv, connection.send)
    missing = dict.fromkeys(by_fd, len(PAYLOAD))
    size = len(PAYLOAD)
    # Every client always has one request on its way, across the calls of run().
    for _recv, send in by_fd.values():
        send(PAYLOAD)

    def run(n):
        done = 0
        while done < n:
            for fd, _event in poller.poll():
                recv, send = by_fd[fd]
                got = len(recv(4096))
                if got != missing[fd]:
                    if not got:
                        raise SystemExit("the server closed a connection early")
                    missing[fd] -= got
                    continue
                missing[fd] = size
                send(PAYLOAD)
                done += 1

    def drain():
        # The last reply is read before the end: closing on it would reset the connection.
        for connection in connections:
            connection.setblocking(True)
            receive(connection)

    return run, drain


def echo(clients, port, warm_ms, measure_ms):
    connections = [connect(port) for _ in range(clients)]
    # Not counted: every connection has its thread or worker before the clock starts.
    for connection in connections:
        connection.sendall(PAYLOAD)
    for connection in connections:
        receive(connection)
    if clients == 1:
        return per_second(one_client(connections[0]), warm_ms, measure_ms)
    run, drain = many_clients(connections)
    value = per_second(run, warm_ms, measure_ms)
    drain()
    return value


def per_second(run, warm_ms, measure_ms, block=200):
    # Over the whole time, not the median of blocks: many clients finish unevenly.
    end = time.perf_counter() + warm_ms / 1000
    while time.perf_counter() < end:
        run(block)
    begin = now = time.perf_counter()
    done = 0
    while now - begin < measure_ms / 1000:
        run(block)
        done += block
        now = time.perf_counter()
    return done / (now - begin)


def one_connection(port):
    connection = connect(port)
    connection.sendall(PAYLOAD)
    receive(connection)
    connection.close()


def connects(count, port):
    # Counted, not timed: each one leaves a port in TIME_WAIT behind.
    for _ in range(2 * count):
        one_connection(port)
    begin = time.perf_counter()
    for _ in range(count):
        one_connection(port)
    return count / (time.perf_counter() - begin)


def bulk(clients, port, warm_ms, measure_ms):
    """Everybody sends without a pause and takes what comes back."""
    chunk = b"x" * 65536
    connections = {}
    poller = select.epoll()
    for _ in range(clients):
        connection = connect(port)
        connection.setblocking(False)
        poller.register(connection.fileno(), select.EPOLLIN | select.EPOLLOUT)
        connections[connection.fileno()] = connection

    def run(ms):
        begin = now = time.perf_counter()
        received = 0
        while now - begin < ms / 1000:
            for fd, event in poller.poll():
                if event & select.EPOLLIN:
                    got = len(connections[fd].recv(len(chunk)))
                    if not got:
                        raise SystemExit("the server closed a connection early")
                    received += got
                if event & select.EPOLLOUT:
                    connections[fd].send(chunk)
            now = time.perf_counter()
        return received / (now - begin) / 1e6

    run(warm_ms)
    return run(measure_ms)


def resident_mb(pid):
    """Of a process and its children, without what they share."""
    total = 0.0
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        total += sum(resident_mb(child) for child in children.read().split())
    return total


def idle(count, port, pid):
    one_connection(port)
    before = resident_mb(pid)
    connections = [connect(port) for _ in range(count)]
    for connection in connections:
        connection.sendall(PAYLOAD)
    for connection in connections:
        receive(connection)
    return (resident_mb(pid) - before) / count


if __name__ == "__main__":
    kind, number, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    warm_ms, measure_ms = float(sys.argv[4]), float(sys.argv[5])
    if kind == "echo":
        timing.report(echo(number, port, warm_ms, measure_ms))
    elif kind == "bulk":
        timing.report(bulk(number, port, warm_ms, measure_ms))
    elif kind == "idle":
        timing.report(idle(number, port, sys.argv[6]))
    else:
        timing.report(connects(number, port))
