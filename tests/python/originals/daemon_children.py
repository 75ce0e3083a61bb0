from multiprocessing import Process


def bar():
    print(456)


def have_a_child():
    try:
        Process(target=bar).start()
    except AssertionError as error:
        print('AssertionError: %s' % error)


if __name__ == '__main__':
    p = Process(target=have_a_child, daemon=True)
    p.start()
    p.join()
