import os
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor

# The first argument chooses the program, the second one makes every pause shorter.
SCALE = float(sys.argv[2]) if len(sys.argv) > 2 else 1


def task(n):
    print('%s is runing' % os.getpid(), flush=True)
    time.sleep(random.randint(1, 3) * SCALE)
    return n**2


def make(i):
    print('%s 制作螺丝%s' % (os.getpid(), i), flush=True)
    return i ** 2


def make_slowly(i):
    time.sleep(0.2 * SCALE)
    print('%s 制作螺丝%s' % (os.getpid(), i), flush=True)
    return i ** 2


def func1(n):
    time.sleep(random.random() * SCALE)
    print('in func1 %s' % n, flush=True)
    return n * 2


def callback():
    def handle(res):
        res = res.result()
        print('handle res %s' % res, flush=True)

    pool = ProcessPoolExecutor(2)
    for i in range(5):
        obj = pool.submit(task, i)
        obj.add_done_callback(handle)
    pool.shutdown()
    print('主')


def one_by_one():
    pool = ProcessPoolExecutor(3)
    for i in range(5):
        res = pool.submit(task, i).result()
        print('handle res %s' % res, flush=True)
    pool.shutdown()
    print('主')


def submit():
    p = ProcessPoolExecutor(4)
    for i in range(100):
        p.submit(make, i)
    p.shutdown()
    print('所有的螺丝都制作完了')


def map_():
    p = ProcessPoolExecutor(4)
    p.map(make, range(100))
    p.shutdown()
    print('所有的螺丝都制作完了')


def results():
    ret_l = []
    p = ProcessPoolExecutor(4)
    for i in range(100):
        ret = p.submit(make_slowly, i)
        ret_l.append(ret)
    for r in ret_l:
        print(r.result(), flush=True)
    ret = p.map(make_slowly, range(100))
    print(ret, flush=True)
    for i in ret:
        print(i, flush=True)


def futures():
    def call_back(arg):
        # In one piece, for callbacks run in a thread of their own.
        print('%s\n%s' % (arg, arg.result()), flush=True)

    p = ProcessPoolExecutor(4)
    for i in range(10):
        ret = p.submit(func1, i)
        ret.add_done_callback(call_back)
    ret_l = []
    for i in range(10):
        ret = p.submit(func1, i)
        ret_l.append(ret)
    for r in ret_l:
        call_back(r)


if __name__ == '__main__':
    {'callback': callback, 'one-by-one': one_by_one, 'submit': submit, 'map': map_, 'results': results,
     'futures': futures}[sys.argv[1]]()
