import multiprocessing


def f(q):
    q.put([42, None, 'hello'])
    q.put(30)


if __name__ == '__main__':
    q = multiprocessing.Queue()
    p = multiprocessing.Process(target=f, args=(q,))
    p.start()
    print(q.get())
    print(type(q.get()))
    p.join()
