import json
import os
import sys
import tempfile
import time
from multiprocessing import Lock, Process

# The first argument makes every pause shorter.
SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1


def search_ticket(name):
    with open('ticket', encoding='utf-8') as f:
        dic = json.load(f)
        print('%s查询余票为%s' % (name, dic['count']))


def buy_ticket(name):
    with open('ticket', encoding='utf-8') as f:
        dic = json.load(f)
    time.sleep(2 * SCALE)
    if dic['count'] >= 1:
        print('%s买到票了' % name)
        dic['count'] -= 1
        time.sleep(2 * SCALE)
        # The original writes into 'ticket' itself; a late search_ticket may then read half a file.
        with open('ticket.new', mode='w', encoding='utf-8') as f:
            json.dump(dic, f)
        os.replace('ticket.new', 'ticket')
    else:
        print('余票为0,%s没买到票' % name)


def use1(name, lock):
    search_ticket(name)
    print('%s在等待' % name)
    lock.acquire()
    print('%s开始执行了' % name)
    buy_ticket(name)
    lock.release()


def use2(name, lock):
    search_ticket(name)
    print('%s在等待' % name)
    with lock:
        print('%s开始执行了' % name)
        buy_ticket(name)


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open('ticket', mode='w', encoding='utf-8') as f:
            json.dump({'count': 3}, f)
        lock = Lock()
        l = ['alex', 'wusir', 'baoyuan', 'taibai']
        buyers = []
        for name in l:
            buyers.append(Process(target=use1, args=(name, lock)))
            buyers.append(Process(target=use2, args=(name, lock)))
        for p in buyers:
            p.start()
        for p in buyers:
            p.join()
        os.chdir('..')  # so that the folder can be removed
