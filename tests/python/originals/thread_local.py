import threading

# 创建全局ThreadLocal对象:
local = threading.local()


def process_student():
    # 获取当前线程关联的student:
    print('local.student: %s , current_thread : %s' % (local.student, threading.current_thread().name))


def process_thread(stu_name):
    # 绑定ThreadLocal的student:
    local.student = stu_name
    process_student()


t1 = threading.Thread(target=process_thread, args=('Alice',), name='Thread-A')
t2 = threading.Thread(target=process_thread, args=('Bob',), name='Thread-B')
t1.start()
t2.start()
t1.join()
t2.join()

num = 0


# 将线程中需要访问的变量绑定到全局ThreadLocal对象上
def run(x, n):
    x = x + n
    x = x - n
    return x


def func(n):
    # 每个线程都有local.x,就是线程的局部变量
    local.x = num
    for i in range(1000000):
        run(local.x, n)
    print("%s- local.x =%d" % (threading.current_thread().name, local.x))


if __name__ == "__main__":
    t1 = threading.Thread(target=func, args=(6,))
    t2 = threading.Thread(target=func, args=(9,))
    t1.start()
    t2.start()
    t1.join()
    t2.join()
    print("num =", num)
