"""Rates of publishing through a relay, while somebody reads.

    relay.py LINES FILE READY READER -- NAME PUBLISHER [NAME PUBLISHER...]
    relay.py --publish LINES FILE NAME PUBLISHER [NAME PUBLISHER...]

Commands are the shell's.  READER is started first, for each publisher anew;
it is ready when a line of its output matches READY ('' waits for nothing but
half a second, for readers that say nothing).  Each publisher in turn gets
FILE on stdin.  Counted is from its start until the reader has as many
records as FILE has lines, or nothing has come for three seconds.  Every
publisher runs three times, and the best one counts.  With --publish nobody
reads, and counted is until the publisher ends.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time


def records(path):
    with open(path, 'rb') as f:
        return f.read().count(b'zp1.')


def once(lines, path, ready, reader, publisher):
    with tempfile.NamedTemporaryFile() as out:
        r = subprocess.Popen(reader, shell=True, stdin=subprocess.DEVNULL,
                             stdout=out, start_new_session=True)
        try:
            end = time.monotonic() + (10 if ready else 0.5)
            while time.monotonic() < end:
                with open(out.name, 'rb') as f:
                    if ready and re.search(ready.encode(), f.read()):
                        break
                time.sleep(0.02)
            before = records(out.name)
            start = time.monotonic()
            with open(path, 'rb') as f:
                status = subprocess.call(publisher, shell=True, stdin=f,
                                         stdout=subprocess.DEVNULL,
                                         timeout=120)
            published = time.monotonic() - start
            got, last, size = 0, time.monotonic(), -1
            while time.monotonic() - last < 3:
                now = os.stat(out.name).st_size
                if now != size:
                    size, last = now, time.monotonic()
                    got = (records(out.name) - before)
                    if got >= lines:
                        break
                time.sleep(0.01)
            return published, last - start, got, status
        finally:
            os.killpg(r.pid, signal.SIGTERM)
            r.wait()


def alone(lines, path, publisher):
    start = time.monotonic()
    with open(path, 'rb') as f:
        status = subprocess.call(publisher, shell=True, stdin=f,
                                 stdout=subprocess.DEVNULL, timeout=120)
    took = time.monotonic() - start
    return took, took, lines if status == 0 else 0, status


def main():
    if sys.argv[1] == '--publish':
        lines, path = int(sys.argv[2]), sys.argv[3]
        rest = sys.argv[4:]

        def run(publisher):
            return alone(lines, path, publisher)
    else:
        _, lines, path, ready, reader = sys.argv[:5]
        lines = int(lines)
        rest = sys.argv[6:]

        def run(publisher):
            return once(lines, path, ready, reader, publisher)
    pairs = list(zip(rest[::2], rest[1::2]))
    best = {}
    for _ in range(int(os.environ.get('ROUNDS', '3'))):
        for name, publisher in pairs:
            r = run(publisher)
            # What lost something is no rate.
            key = (r[2] < lines, r[1])
            if name not in best or key < best[name][0]:
                best[name] = (key, r)
    first = None
    for name, _ in pairs:
        published, took, got, status = best[name][1]
        rate = got / took if took > 0 else 0
        first = first or rate
        print(f'{name:40} {rate:9.0f}/s  ratio {rate / first:5.2f}  '
              f'{got} of {lines} arrived, taken in {published:.2f} s, '
              f'exit {status}')


main()
