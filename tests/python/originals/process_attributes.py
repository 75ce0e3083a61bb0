import sys
import time
from multiprocessing import Process

# The first argument makes every pause shorter.
SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1


class MyProcess(Process):
    def __init__(self, who):
        super().__init__()
        self.who = who

    def run(self):
        print('%s says hello to %s' % (self.name, self.who))
        time.sleep(2 * SCALE)


def sleep_long():
    time.sleep(1000 * SCALE)


def show(when, p):
    print('%s: name=%s daemon=%s pid=%s exitcode=%s alive=%s' % (
        when, p.name, p.daemon, p.pid, p.exitcode, p.is_alive()))


if __name__ == '__main__':
    p = MyProcess('egon')
    print('default name: %s' % p.name)
    p.name = 'greeter'
    print('authkey: %s bytes' % len(p.authkey))
    p.authkey = b'secret'
    print('authkey: %s bytes' % len(p.authkey))

    show('new', p)
    p.start()
    show('running', p)
    try:
        p.start()
    except AssertionError:
        print('started twice: AssertionError')
    p.join()
    show('joined', p)

    sleeper = Process(target=sleep_long, name='sleeper', daemon=True)
    sleeper.start()
    sleeper.join(0.5)
    show('after 0.5 s', sleeper)
    sleeper.terminate()
    sleeper.join()
    show('terminated', sleeper)
