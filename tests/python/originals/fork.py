import os

print('Process (%s) start...' % os.getpid(), flush=True)  # or the child prints it once more, into a file or a pipe
# Only works on Unix/Linux/Mac:
pid = os.fork()
if pid == 0:
    print('I am child process (%s) and my parent is %s.' % (os.getpid(), os.getppid()))
else:
    print('I (%s) just created a child process (%s).' % (os.getpid(), pid))
