import time
from multiprocessing import Process, Queue, current_process
from queue import Empty, Full


def refusal(attempt, *args, **kwargs):
    try:
        attempt(*args, **kwargs)
        return 'not refused'
    except (Empty, Full) as error:
        return type(error).__name__


def written(q):
    # A thread writes what was put a moment later; until then the queue calls itself empty.
    while q.empty():
        time.sleep(0.001)


def tour(q):
    print(current_process().name, flush=True)

    print('empty:', q.empty(), 'qsize:', q.qsize(), 'full:', q.full(), flush=True)
    print('get_nowait:', refusal(q.get_nowait), flush=True)
    print('get with a timeout:', refusal(q.get, timeout=0.1), flush=True)

    q.put('A')
    q.put_nowait('B')
    q.put('C', timeout=0.1)
    written(q)
    print('empty:', q.empty(), 'qsize:', q.qsize(), 'full:', q.full(), flush=True)
    print('put_nowait:', refusal(q.put_nowait, 'D'), flush=True)
    print('put with a timeout:', refusal(q.put, 'D', timeout=0.1), flush=True)

    print('get:', q.get(), flush=True)
    written(q)
    print('get_nowait:', q.get_nowait(), flush=True)
    written(q)
    print('get with a timeout:', q.get(timeout=0.1), flush=True)


if __name__ == '__main__':
    q = Queue(3)
    tour(q)
    p = Process(target=tour, args=(q,))
    p.start()
    p.join()
