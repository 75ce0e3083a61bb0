"""CPython's servers under test: echo, print their port, run until killed.

    echo_server.py threading|forking [echo|work|bulk]
"""

import socket
import socketserver
import sys
import time


class Echo(socketserver.BaseRequestHandler):
    size = 1024

    def setup(self):
        # The library sets TCP_NODELAY on every connection, so it is set here too.
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle(self):
        while data := self.request.recv(self.size):
            self.request.sendall(data)


class Work(Echo):
    """Needs a core for a millisecond before each answer."""

    def handle(self):
        while data := self.request.recv(self.size):
            end = time.thread_time() + 0.001
            while time.thread_time() < end:
                pass
            self.request.sendall(data)


class Bulk(Echo):
    size = 65536


class Threading(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    # The default of 5 drops the SYN of some of 16 clients, which costs them a second.
    request_queue_size = 128


class Forking(socketserver.ForkingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128


if __name__ == "__main__":
    kind, handler = (sys.argv[1:] + ["echo"])[:2]
    server_class = {"threading": Threading, "forking": Forking}[kind]
    handler_class = {"echo": Echo, "work": Work, "bulk": Bulk}[handler]
    with server_class(("127.0.0.1", 0), handler_class) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
