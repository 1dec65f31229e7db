#!/usr/bin/env python3
"""Runs a command at a terminal and talks to it.

    terminal.py [EXPECT=SEND]... -- COMMAND...

Waits for the text EXPECT, then sends SEND.  In SEND, \\r is the Enter key,
^C and its like are keys, and @TERM sends that signal to the command instead.
Prints what the terminal showed; then a line `echo on` or `echo off`, the state
the terminal was in when each SEND went out and when all was over.  Exits as
the command did, 128 + N after a signal.
"""

import fcntl
import os
import select
import signal
import sys
import termios
import time

LIMIT = 60  # seconds until a test is given up


def echo(fd):
    on = termios.tcgetattr(fd)[3] & termios.ECHO
    return "on" if on else "off"


def wait_for(fd, text, seen, at, echoes):
    """Reads until text comes, counted from `at`; the new position."""
    end = time.monotonic() + LIMIT
    while text.encode() not in seen[at:]:
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            sys.stderr.write("never came: %s\n%s\n" % (text, bytes(seen)))
            sys.exit(99)
        try:
            got = os.read(fd, 4096)
        except OSError:
            got = b""
        if not got:
            sys.stderr.write("ended before: %s\n%s\n" % (text, bytes(seen)))
            sys.exit(99)
        seen += got
    echoes.append(echo(fd))
    return seen.index(text.encode(), at) + len(text)


def wait_until_stopped(pid):
    end = time.monotonic() + LIMIT
    while os.waitpid(pid, os.WUNTRACED | os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            sys.stderr.write("never stopped\n")
            os.kill(pid, signal.SIGKILL)
            sys.exit(99)
        time.sleep(0.01)


def send(fd, pid, what, echoes):
    if what.startswith("@"):
        if what == "@CONT":
            wait_until_stopped(pid)
            echoes[-1] = echo(fd)
        os.kill(pid, getattr(signal, "SIG" + what[1:]))
        return
    out = what.replace("\\r", "\r")
    if len(out) == 2 and out[0] == "^":
        out = chr(ord(out[1]) - 64)
    os.write(fd, out.encode())


def drain(fd, seen):
    while True:
        try:
            got = os.read(fd, 4096)
        except OSError:
            return
        if not got:
            return
        seen += got


def start(command, slave):
    """Starts it as a shell would: in a foreground group of its own, so that
    it can be stopped and continued."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(slave, os.getpgrp())
        # What runs in a shell's background ignores some of these.
        for sig in (signal.SIGTTOU, signal.SIGINT, signal.SIGQUIT,
                    signal.SIGHUP, signal.SIGTERM):
            signal.signal(sig, signal.SIG_DFL)
        for i in range(3):
            os.dup2(slave, i)
        os.execvp(command[0], command)
    return pid


def wait_until_ended(pid):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.01)
    sys.stderr.write("never ended\n")
    os.kill(pid, signal.SIGKILL)
    sys.exit(99)


def talk(steps, command, out):
    os.setsid()
    # The slave stays open here: so the terminal's state can be read to the
    # end, and nothing that was shown is lost with the last process.
    fd, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    pid = start(command, slave)
    seen, at, echoes = bytearray(), 0, []
    for expect, _, what in steps:
        at = wait_for(fd, expect, seen, at, echoes)
        send(fd, pid, what, echoes)
    status = wait_until_ended(pid)
    echoes.append(echo(slave))
    # Whatever reads the terminal afterwards is told by the hang-up.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.close(slave)
    drain(fd, seen)
    out.write(seen.decode(errors="replace").replace("\r\n", "\n"))
    out.write("echo %s\n" % " ".join(echoes))
    out.flush()
    return (128 + os.WTERMSIG(status) if os.WIFSIGNALED(status)
            else os.WEXITSTATUS(status))


def main():
    split = sys.argv.index("--")
    steps = [a.partition("=") for a in sys.argv[1:split]]
    # Only who leads no group can begin a session.
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = talk(steps, sys.argv[split + 1:], sys.stdout)
        except SystemExit as e:
            code = e.code
        finally:
            sys.stderr.flush()
            os._exit(code)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


main()
