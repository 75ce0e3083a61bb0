"""A client of an echo server: many messages, then half closes and reads to the end."""

import socket
import sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30) as sock:
    stream = sock.makefile("rb")
    for i in range(1000):
        message = f"message {i}\n".encode()
        sock.sendall(message)
        assert stream.readline() == message
    print("echoed 1000 messages")
    sock.shutdown(socket.SHUT_WR)
    assert stream.read() == b""
    print("end of stream")
