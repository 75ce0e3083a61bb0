from multiprocessing import Process

n = 100
li = []


def work():
    global n
    n = 0
    print('子进程内:', n)


def foo(i):
    li.append(i)
    print('say hi', li)


if __name__ == '__main__':
    p = Process(target=work)
    p.start()
    p.join()
    print('主进程内:', n)

    process_list = []
    for i in range(10):
        process_list.append(Process(target=foo, args=(i,)))
    for p in process_list:
        p.start()
    for p in process_list:
        p.join()
    print('ending', li)
