"""The hooks that CPython's servers call, in order, for the four things that can become of a request."""

import socket
import socketserver
import sys

calls = []


def note(name):
    calls.append(name)


class Handler(socketserver.BaseRequestHandler):
    def setup(self):
        note("setup")

    def handle(self):
        note("handle")
        if self.request.recv(1) == b"!":
            raise ValueError("asked to")

    def finish(self):
        note("finish")


def noting(Base):
    class Noting(Base):
        accepts = True

    def hook(name):
        def called(self, *args):
            note(name)
            if name == "verify_request":
                return self.accepts
            if name != "handle_error":
                return getattr(Base, name)(self, *args)

        return called

    for name in (
        "server_bind server_activate get_request verify_request process_request process_request_thread finish_request"
        " handle_error shutdown_request close_request handle_timeout server_close"
    ).split():
        if hasattr(Base, name):
            setattr(Noting, name, hook(name))
    return Noting


def ask(server, word):
    with socket.create_connection(server.server_address) as client:
        client.sendall(word)
        server.handle_request()
        assert client.recv(1) == b""
    for thread in list(getattr(server, "_threads", None) or []):
        thread.join()


server = noting(getattr(socketserver, sys.argv[1]))(("127.0.0.1", 0), Handler)
ask(server, b"x")
ask(server, b"!")
server.accepts = False
ask(server, b"x")
server.timeout = 0.02
server.handle_request()
server.server_close()
print("\n".join(calls))
