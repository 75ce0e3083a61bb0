import sys
import time
from multiprocessing import Event, Process

# The first argument makes every pause shorter.
SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1


def lighter(event):
    count = 0
    event.set()
    while True:
        # A daemon is ended by a signal, so what it has not flushed is lost.
        if 5 < count <= 10:
            event.clear()
            print('\33[41;1mred light is on...\033[0m', flush=True)
        elif count > 10:
            event.set()
            count = 0
        else:
            print('\33[42;1mgreen light is on...\033[0m', flush=True)
        time.sleep(1 * SCALE)
        count += 1


def car(event, name, red_lights):
    while red_lights > 0:
        if event.is_set():
            print('[%s] running...' % name, flush=True)
            time.sleep(1 * SCALE)
        else:
            print('[%s] sees red light,waiting...' % name, flush=True)
            event.wait()
            print('[%s] green light is on,start going...' % name, flush=True)
            red_lights -= 1


if __name__ == '__main__':
    event = Event()
    light = Process(target=lighter, args=(event,), daemon=True)
    light.start()
    event.wait()
    mini = Process(target=car, args=(event, 'MINI', 2))
    mini.start()
    mini.join()
