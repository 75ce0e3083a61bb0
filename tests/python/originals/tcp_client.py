import socket
import sys

if __name__ == '__main__':
    sk = socket.socket()
    sk.connect(('127.0.0.1', int(sys.argv[1])))
    print(sk.recv(1024).decode())
    print(sk.recv(1024).decode())
    sk.close()
