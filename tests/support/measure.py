"""python3 -S measure.py REPORT SECONDS COMMAND...: runs the command, and writes its exit status, its peak
resident size in bytes, how long it took and its CPU time to REPORT. SIGTERM after SECONDS; 0: never.

A process of its own, since the peak of a child begins with the size of the parent that forked it: this
one stays small whatever the test itself has in memory.
"""
import os
import signal
import sys
import time

report, seconds, command = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
began = time.monotonic()
child = os.fork()
if child == 0:
    os.execvp(command[0], command)
signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGTERM))
signal.setitimer(signal.ITIMER_REAL, seconds)
_, status, used = os.wait4(child, 0)
with open(report, "w") as file:
    file.write(f"{os.waitstatus_to_exitcode(status)} {used.ru_maxrss * 1024} {time.monotonic() - began} "
               f"{used.ru_utime + used.ru_stime}")
