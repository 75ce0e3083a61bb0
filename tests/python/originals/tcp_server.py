import socketserver
import sys
import time

# The first argument makes every pause shorter.
SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1


class MyServer(socketserver.BaseRequestHandler):
    def handle(self):
        conn = self.request
        print('connection from %s:%s' % self.client_address, flush=True)
        time.sleep(3 * SCALE)
        conn.send(b'hello')
        time.sleep(5 * SCALE)
        conn.send(b'hello2')


if __name__ == '__main__':
    server = socketserver.ThreadingTCPServer(('127.0.0.1', 0), MyServer)
    print('serving on %s:%s' % server.server_address, flush=True)
    server.serve_forever()
