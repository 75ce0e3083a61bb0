import os
import sys
import time
from multiprocessing import Process

# The first argument makes every pause shorter.
SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1


def func(num):
    print(num, os.getpid())
    time.sleep(0.5 * SCALE)
    print(num, os.getpid())
    time.sleep(0.5 * SCALE)


if __name__ == '__main__':
    p = Process(target=func, args=(10,))
    p.start()
    print(os.getpid(), 0)
    time.sleep(1 * SCALE)
    print(os.getpid(), 1)
