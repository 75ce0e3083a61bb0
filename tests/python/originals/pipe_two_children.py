import multiprocessing


def f(conn):
    conn.send([42, None, 'hello'])
    print("child_conn接收:", conn.recv())
    conn.close()


def s(conn):
    conn.send("你好,紫禁城")
    print("parent_conn接收:", conn.recv())
    conn.close()


if __name__ == '__main__':
    parent_conn, child_conn = multiprocessing.Pipe()
    p = multiprocessing.Process(target=f, args=(child_conn,))
    p2 = multiprocessing.Process(target=s, args=(parent_conn,))
    p.start()
    p2.start()
    p.join()
    p2.join()
