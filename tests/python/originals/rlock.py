from multiprocessing import Process, RLock
from multiprocessing.sharedctypes import RawValue


def run1(lock, num):
    print('grab the first part data', flush=True)
    lock.acquire()
    num.value += 1
    lock.release()
    return num.value


def run2(lock, num2):
    print('grab the second part data', flush=True)
    lock.acquire()
    num2.value += 1
    lock.release()
    return num2.value


def run3(lock, num, num2):
    # Flushed while the lock is held, so that the lines of a process stay together.
    with lock:
        res = run1(lock, num)
        print('--------between run1 and run2-----', flush=True)
        res2 = run2(lock, num2)
        print(res, res2, flush=True)


if __name__ == '__main__':
    lock = RLock()
    num = RawValue('i', 0)
    num2 = RawValue('i', 0)
    processes = []
    for i in range(10):
        p = Process(target=run3, args=(lock, num, num2))
        p.start()
        processes.append(p)
    for p in processes:
        p.join()
    print('----all processes done---')
    print(num.value, num2.value)
