import multiprocessing
import sys
import threading
import time

SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1


def t_run():
    print("线程号", threading.get_ident())


def run(name):
    time.sleep(1 * SCALE)
    print('hello', name)
    t = threading.Thread(target=t_run)
    t.start()


if __name__ == '__main__':
    for i in range(10):
        p = multiprocessing.Process(target=run, args=(i,))
        p.start()
