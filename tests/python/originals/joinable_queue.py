import random
import sys
import time
from multiprocessing import JoinableQueue, Process

# The first argument makes every pause shorter.
SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1


def consumer(jq, name):
    while True:
        food = jq.get()
        time.sleep(random.uniform(1, 2) * SCALE)
        # A daemon is ended by a signal, so what it has not flushed is lost.
        print('%s吃完%s' % (name, food), flush=True)
        jq.task_done()


def producer(jq):
    for i in range(10):
        time.sleep(random.random() * SCALE)
        food = 'Spam%s' % i
        print('%s生产了%s' % ('Jane', food), flush=True)
        jq.put(food)
    jq.join()


if __name__ == '__main__':
    jq = JoinableQueue(5)
    c1 = Process(target=consumer, args=(jq, 'Annie'))
    p1 = Process(target=producer, args=(jq,))
    c1.daemon = True
    c1.start()
    p1.start()
    p1.join()
