import os
import sys
import time
from multiprocessing import Pool

# The first argument makes every pause shorter, the second says which variant to run.
SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1
VARIANT = sys.argv[2] if len(sys.argv) > 2 else ''


def Foo(i):
    time.sleep(5 * SCALE)
    print('in process[Foo]', os.getpid(), flush=True)
    return i + 100


def Bar(arg):  # 父进程去执行,而不是子进程调用
    print('-->exec done:', arg)
    print('in process[Bar]', os.getpid(), flush=True)


if __name__ == '__main__':
    pool = Pool(5)  # 允许进程池里同时放入5个进程 其他多余的进程处于挂起状态

    for i in range(10):
        if VARIANT == 'apply':
            pool.apply(func=Foo, args=(i,))
        else:
            pool.apply_async(func=Foo, args=(i,), callback=Bar)

    print('end:', os.getpid(), flush=True)
    if VARIANT == 'terminate':
        pool.terminate()
    else:
        pool.close()  # close() 必须在join()前被调用
    pool.join()   # 进程池中进程执行完毕后再关闭,如果注释,那么程序直接关闭。
