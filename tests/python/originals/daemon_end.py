import sys
import time
from multiprocessing import Process

# The first argument makes every pause shorter.
SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1


def foo():
    # A daemon is ended by a signal, so what it has not flushed is lost.
    print(123, flush=True)
    time.sleep(1 * SCALE)
    print("end123", flush=True)


def bar():
    print(456)
    time.sleep(3 * SCALE)
    print("end456")


if __name__ == '__main__':
    p1 = Process(target=foo)
    p2 = Process(target=bar)
    p1.daemon = True
    p1.start()
    p2.start()
    print("main-------")
