import sys
import time
from multiprocessing import Process, Semaphore

# The first argument makes every pause shorter.
SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1


def run(semaphore, n):
    semaphore.acquire()
    print('%s comes in' % n, flush=True)
    time.sleep(1 * SCALE)
    print('%s goes out' % n, flush=True)
    semaphore.release()


if __name__ == '__main__':
    semaphore = Semaphore(3)
    for i in range(10):
        Process(target=run, args=(semaphore, i)).start()
