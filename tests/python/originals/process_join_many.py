import sys
import time
from multiprocessing import Process

# The first argument makes every pause shorter.
SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1


def func(n):
    time.sleep(1 * SCALE)
    print('_' * n)


if __name__ == '__main__':
    l = []
    for i in range(10):
        p = Process(target=func, args=(i,))
        p.start()
        l.append(p)

    print('子进程开始了')
    for p in l:
        p.join()
    print('10条信息已经发送完毕')
