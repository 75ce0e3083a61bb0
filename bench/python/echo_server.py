"""CPython's ThreadingTCPServer under test: echoes, prints its port, runs until killed."""

import socket
import socketserver


class Echo(socketserver.BaseRequestHandler):
    def setup(self):
        # The library sets TCP_NODELAY on every connection, so it is set here too.
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle(self):
        while data := self.request.recv(1024):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    # The default of 5 drops the SYN of some of 16 clients, which costs them a second.
    request_queue_size = 128


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Echo) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
