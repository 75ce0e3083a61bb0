import sys
import time
from multiprocessing import JoinableQueue, Process

# The first argument makes every pause shorter.
SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1


def write(q):
    for i in ['A', 'B', 'C', 'D', 'E']:
        print('Put %s to queue' % i, flush=True)
        q.put(i)
        time.sleep(0.5 * SCALE)


def read(q):
    while True:
        v = q.get(True)
        # It is ended by a signal, so what it has not flushed is lost.
        print('get %s from queue' % v, flush=True)
        q.task_done()


if __name__ == '__main__':
    q = JoinableQueue()
    pw = Process(target=write, args=(q,))
    pr = Process(target=read, args=(q,))
    print('write process = ', pw)
    print('read process = ', pr, flush=True)
    pw.start()
    pr.start()
    pw.join()
    q.join()
    pr.terminate()
    pr.join()
    print('write process ended with %s' % pw.exitcode)
    print('read process ended with %s' % pr.exitcode)
