"""Rates of publishing through a relay, while somebody reads.

    relay.py WHAT LINES FILE READY READER -- NAME PUBLISHER [NAME PUBLISHER...]
    relay.py --publish WHAT LINES FILE NAME PUBLISHER [NAME PUBLISHER...]

Commands are the shell's.  READER is started first, for each publisher anew;
it is ready when a line of its output matches READY ('' waits for nothing but
half a second, for readers that say nothing).  Each publisher in turn gets
FILE on stdin.  Counted is from its start until the reader has as many
records as FILE has lines, or nothing has come for three seconds.  Every
publisher runs three times ($ROUNDS), and is compared with the first one round
by round; what lost something is no rate and does not count, and where that is
the first one, the others have their own figures alone.  With --publish
nobody reads, and counted is until the publisher ends.

If $ZP_BENCH_TSV names a file, the ratios are added to it, as the README in
this folder says; a NAME may end in its aim, as in `zpinc-mqtt >= 0.9', and
WHAT says what is done.
"""
import os
import re
import signal
import statistics
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


def quartiles(values):
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, method='inclusive')
    return low, median, high


def rate(result, lines):
    _, took, got, _ = result
    return got / took if got >= lines and took > 0 else None


def report(name, results, reference, lines):
    """One publisher's line; what goes into the table, or nothing."""
    rates = [rate(r, lines) for r in results]
    whole = [r for r in rates if r]
    ratios = [r / f for r, f in zip(rates, (rate(r, lines) for r in reference))
              if r and f]
    least = min(r[2] for r in results)
    told = f'at least {least} of {lines} arrived, taken in ' \
        f'{statistics.median(r[0] for r in results):.2f} s, ' \
        f'exit {max(r[3] for r in results)}'
    if not whole:
        print(f'{name:40} {"-":>9}    ratio     -  {told}')
        return None
    if not ratios:
        value = statistics.median(whole)
        print(f'{name:40} {value:9.0f}/s  ratio     -  {told}')
        return f'1\t1\t1\t{len(whole)}\trate', value
    low, median, high = quartiles(ratios)
    value = statistics.median(whole)
    print(f'{name:40} {value:9.0f}/s  ratio {median:5.2f}  {told}')
    return f'{median:.4f}\t{low:.4f}\t{high:.4f}\t{len(ratios)}\trate', value


def main():
    publish = sys.argv[1] == '--publish'
    words = sys.argv[2 if publish else 1:]
    what, lines, path = words[0], int(words[1]), words[2]
    if publish:
        rest = words[3:]

        def run(publisher):
            return alone(lines, path, publisher)
    else:
        ready, reader = words[3:5]
        rest = words[6:]

        def run(publisher):
            return once(lines, path, ready, reader, publisher)
    named = [re.fullmatch(r'(.*?)\s*([<>]=.*)?', n).groups('')
             for n in rest[::2]]
    results = [[] for _ in named]
    for _ in range(int(os.environ.get('ROUNDS', '3'))):
        for publisher, to in zip(rest[1::2], results):
            to.append(run(publisher))
    table = os.environ.get('ZP_BENCH_TSV', os.devnull)
    with open(table, 'a', encoding='utf-8') as out:
        for (name, aim), own in zip(named, results):
            row = report(name, own, results[0], lines)
            if row is None:
                print('skipped', what, f'{name}: lines were lost', sep='\t',
                      file=out)
                continue
            # With nothing to be compared with, it stands for itself.
            lost = not any(rate(r, lines) for r in results[0])
            print(name, what, name if lost else named[0][0], row[0],
                  '' if lost else aim, f'{row[1]:.6g}', 'lines/s', '',
                  sep='\t', file=out)


main()
