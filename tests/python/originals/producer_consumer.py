import random
import sys
import time
from multiprocessing import Process, Queue

# The first argument makes every pause shorter.
SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1


def producer(q):
    for i in range(10):
        time.sleep(random.random() * SCALE)
        food = 'Spam %s' % i
        print('%s生产了%s' % ('Jane', food))
        q.put(food)


def consumer(q, name):
    while True:
        food = q.get()
        if not food:
            break
        time.sleep(random.uniform(1, 2) * SCALE)
        print('%s 吃了 %s' % (name, food))


if __name__ == '__main__':
    q = Queue()
    p1 = Process(target=producer, args=(q,))
    p1.start()
    c1 = Process(target=consumer, args=(q, 'Lisa'))
    c1.start()
    c2 = Process(target=consumer, args=(q, 'Annie'))
    c2.start()
    p1.join()
    q.put(None)
    q.put(None)
