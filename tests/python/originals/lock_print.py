from multiprocessing import Lock, Process


def f(l, i):
    l.acquire()
    print("hello", i)
    l.release()


if __name__ == '__main__':
    l = Lock()
    for i in range(10):
        Process(target=f, args=(l, i)).start()
