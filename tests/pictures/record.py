#!/usr/bin/python3
"""A terminal recording as SVG, of a real run.

record.py SVG TITLE COMMAND [ARGUMENT...]: runs the command at a terminal of
its own and draws what it wrote, each line when it came.  Long waits are cut
to PAUSE seconds.  Ends with the command's exit status, and draws nothing
unless that is 0.

The picture is plain text with a style sheet.  Where animations are off, or
unknown, all of it is seen at once.
"""
import html
import os
import pty
import re
import sys
import time

PAUSE = 1.5
READING = 0.25
COLUMNS = 92
WIDE, HIGH, EDGE = 8.43, 19, 14
STYLE = """
.paper { fill: #fdfdfb }
text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
	fill: #24292f }
.bar { fill: #e8e8e3 } .title { fill: #6e6e66 }
.command { font-weight: bold } .says { fill: #57606a; font-style: italic }
.sees { fill: #0a5c36 } .fact { fill: #7a3e00 }
@keyframes come { from { visibility: hidden } to { visibility: visible } }
@media (prefers-reduced-motion: no-preference) {
	.line { animation: come 0.01s linear both }
}
"""


def run(command):
    """The lines that it wrote, each with its time, and the exit status."""
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(TERM="dumb", LC_ALL="C.UTF-8",
                          COLUMNS=str(COLUMNS))
        os.execvp(command[0], command)
    begin, rest, lines = time.monotonic(), b"", []
    while True:
        try:
            block = os.read(master, 65536)
        except OSError:  # EIO: the last writer is gone
            block = b""
        if not block:
            break
        *whole, rest = (rest + block).split(b"\n")
        now = time.monotonic() - begin
        lines += [(now, line) for line in whole]
    if rest:
        lines.append((time.monotonic() - begin, rest))
    return lines, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def shown(line):
    """Text without the terminal's ways, in lines that fit."""
    text = line.decode("utf-8", "replace").rstrip("\r")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).expandtabs(8)
    text = "".join(c for c in text if c >= " ")
    return [text[i:i + COLUMNS] for i in range(0, len(text), COLUMNS)] or [""]


def kind(text):
    if text.startswith("$ "):
        return "command"
    if re.match(r"  \w+ sees ", text):
        return "sees"
    if re.match(r"  (?!\w+ types )", text):
        return "fact"
    return "" if text.startswith("  ") else "says"


def paced(lines):
    """Screen lines with times: no long wait, and none too quick to read."""
    out, clock, last = [(0.0, lines[0][1])], 0.0, lines[0][0]
    for when, text in lines[1:]:
        clock += min(max(when - last, READING if text else 0), PAUSE)
        last = when
        out.append((clock, text))
    return [(t, part) for t, text in out for part in text]


def draw(title, screen):
    width = 2 * EDGE + COLUMNS * WIDE
    top = 30 + EDGE
    height = top + HIGH * len(screen)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" '
           f'height="{height}" viewBox="0 0 {width:.0f} {height}" '
           'role="img" xml:space="preserve">',
           f"<title>{html.escape(title)}</title>", f"<style>{STYLE}</style>",
           '<rect class="paper" width="100%" height="100%"/>',
           f'<rect class="bar" width="{width:.0f}" height="30"/>',
           f'<text class="title" x="{EDGE}" y="20">{html.escape(title)}'
           "</text>"]
    for i, (when, text) in enumerate(screen):
        if text:
            out.append(
                f'<text class="line {kind(text)}" x="{EDGE}" '
                f'y="{top + HIGH * i + 4}" '
                f'style="animation-delay:{when:.2f}s">'
                f"{html.escape(text)}</text>")
    return "\n".join(out + ["</svg>", ""])


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    path, title, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    lines, status = run(command)
    if status != 0:
        sys.stderr.buffer.write(b"\n".join(line for _, line in lines) + b"\n")
        sys.exit(status if status > 0 else 1)
    screen = [(0.0, [f"$ {title}"])]
    screen += [(when, shown(line)) for when, line in lines]
    text = draw(title, paced(screen))
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


main()
