from multiprocessing import Manager, Process


def foo(li, i):
    li.append(i)
    print('say hi', i)


def work(start, ready, results, done, squares, i):
    start.wait()
    results.put(i)
    squares[i] = i * i
    with ready:
        done.value += 1
        ready.notify()


if __name__ == '__main__':
    manager = Manager()
    li = manager.list()
    processes = [Process(target=foo, args=(li, i)) for i in range(10)]
    for p in processes:
        p.start()
    for p in processes:
        p.join()
    li.sort()
    print('ending', *li)

    start, ready, results = manager.Event(), manager.Condition(), manager.Queue()
    done, squares = manager.Value('i', 0), manager.Array('i', [0] * 5)
    workers = [Process(target=work, args=(start, ready, results, done, squares, i)) for i in range(5)]
    for p in workers:
        p.start()
    start.set()
    with ready:
        ready.wait_for(lambda: done.value == 5)
    print('done', done.value)
    print('results', *sorted(results.get() for _ in range(5)))
    print('squares', *squares)
    for p in workers:
        p.join()
