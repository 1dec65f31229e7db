#!/usr/bin/python3
"""What the benchmarks measured, as a plot and as a table of README.md.

figures.py BENCH.TSV PLOT.SVG README.md: tests/bench/README has the format of
the first.  In README the table is put between the lines

	<!-- figures -->
	<!-- /figures -->

All ratios become costs: how many times as long it takes.  So less is better
everywhere, and a rate's ratio is turned round.
"""
import html
import math
import os
import re
import sys

COLUMNS = ("name what against median low high rounds of aim value unit "
           "peak").split()
BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->\n"
ROW, LEFT, PLOT, RIGHT, TOP = 22, 540, 360, 80, 54
STYLE = """
.paper { fill: #fdfdfb }
text { font: 13px system-ui, "DejaVu Sans", Helvetica, Arial, sans-serif;
	fill: #24292f }
.head { font-weight: bold } .dim { fill: #6e6e66 }
.grid { stroke: #e3e3dd } .one { stroke: #8a8a80 }
.range { stroke: #2f6f9f; stroke-width: 5; stroke-opacity: 0.35 }
.dot { fill: #1d4e75 } .aim { stroke: #b3541e; stroke-width: 2 }
"""


def number(text):
    return float(text) if text else None


def cost(row):
    """The row's median, quartiles and aim as costs."""
    values = [number(row[c]) for c in ("median", "low", "high")]
    aim = number(row["aim"].lstrip("<>= ").strip())
    if row["of"] == "rate":
        median, low, high = values
        values = [1 / median, 1 / high, 1 / low]
        aim = 1 / aim if aim else None
    return (*values, aim)


def read(path):
    rows, alone, skipped, where = [], [], [], ""
    with open(path, encoding="utf-8") as file:
        for line in file:
            cells = line.rstrip("\n").split("\t")
            if re.match(r"# \d{4}-", line):
                where = line[2:].strip()
            if line.startswith("#") or not line.strip():
                continue
            if cells[0] == "skipped":
                skipped += [cells[1]] if cells[1] not in skipped else []
                continue
            if len(cells) != len(COLUMNS):
                sys.exit(f"{path}: not a row: {line.strip()}")
            row = dict(zip(COLUMNS, cells))
            if not row["against"]:
                alone.append(row)
            elif row["against"] != row["name"]:
                rows.append(row)
    if not rows:
        sys.exit(f"{path}: no ratios; make bench measures them")
    # What several benchmarks measure of one work stands together.
    order = list(dict.fromkeys(row["what"] for row in rows))
    rows.sort(key=lambda row: order.index(row["what"]))
    return rows, alone, skipped, where


def short(x):
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def ticks(low, high):
    """1, 2 and 5 in every power of ten between them."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    marks = [m * 10.0 ** e for e in range(first, last + 1) for m in (1, 2, 5)]
    within = [m for m in marks if low <= m <= high]
    return within if len(within) < 9 else [
        m for m in within if f"{m:e}".startswith("1")]


class Scale:
    """Logarithmic, with 1 in it."""

    def __init__(self, rows):
        costs = [c for row in rows for c in cost(row) if c]
        self.low, self.high = min(costs + [1]) / 1.2, max(costs + [1]) * 1.2

    def __call__(self, x):
        part = math.log(x / self.low) / math.log(self.high / self.low)
        return round(LEFT + PLOT * part, 1)


def draw(rows):
    at, y = Scale(rows), TOP
    works = len(dict.fromkeys(row["what"] for row in rows))
    height = TOP + ROW * (len(rows) + works) + 24
    width = LEFT + PLOT + RIGHT
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
           f'height="{height}" viewBox="0 0 {width} {height}" role="img">',
           "<title>Costs, in times of what each is compared with</title>",
           f"<style>{STYLE}</style>",
           '<rect class="paper" width="100%" height="100%"/>',
           f'<text class="dim" x="{LEFT}" y="20">times as long as what it is '
           "compared with: less is better</text>"]
    for mark in ticks(at.low, at.high):
        kind = "one" if mark == 1 else "grid"
        out.append(f'<line class="{kind}" x1="{at(mark)}" x2="{at(mark)}" '
                   f'y1="{TOP - 12}" y2="{height - 24}"/>'
                   f'<text class="dim" x="{at(mark)}" y="{TOP - 17}" '
                   f'text-anchor="middle">{mark:g}</text>')
    work = None
    for row in rows:
        if row["what"] != work:
            work = row["what"]
            y += ROW
            out.append(f'<text class="head" x="12" y="{y - 5}">'
                       f"{html.escape(work)}</text>")
        median, low, high, aim = cost(row)
        y += ROW
        mid = y - 10
        label = f'{row["name"]}, compared with {row["against"]}'
        out.append(f'<text x="24" y="{y - 5}">{html.escape(label)}</text>'
                   f'<line class="range" x1="{at(low)}" x2="{at(high)}" '
                   f'y1="{mid}" y2="{mid}"/><circle class="dot" '
                   f'cx="{at(median)}" cy="{mid}" r="4"/>'
                   f'<text x="{LEFT + PLOT + 12}" y="{y - 5}">'
                   f"{short(median)}</text>")
        if aim:
            out.append(f'<line class="aim" x1="{at(aim)}" x2="{at(aim)}" '
                       f'y1="{mid - 7}" y2="{mid + 7}"/>')
    return "\n".join(out + [
        f'<text class="dim" x="{LEFT}" y="{height - 6}">dot: median; bar: '
        "half of the rounds; orange: the aim</text>", "</svg>", ""])


def cell(text):
    """A pipe would begin the next cell of the table."""
    return text.replace("|", "\\|")


def table(rows, alone, skipped, where):
    out = ["| work | measured | compared with | times as long (half of the "
           "rounds) |", "|---|---|---|---|"]
    work = None
    for row in rows:
        median, low, high, _ = cost(row)
        first = row["what"] if row["what"] != work else ""
        work = row["what"]
        out.append(f'| {first} | `{cell(row["name"])}` | '
                   f'`{cell(row["against"])}` | '
                   f"{short(median)} ({short(low)} to {short(high)}) |")
    if alone:
        out += ["", "| figures without a counterpart | | median |",
                "|---|---|---|"]
    for row in alone:
        out.append(f'| {row["what"]} | {row["name"]} | '
                   f'{short(float(row["value"]))} {row["unit"]} |')
    if where:
        out += ["", f"Measured {where}."]
    if skipped:
        out += ["Not measured there: " + ", ".join(skipped) + "."]
    return "\n".join(out) + "\n"


def replace(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    rows, alone, skipped, where = read(sys.argv[1])
    with open(sys.argv[3], encoding="utf-8") as file:
        readme = file.read()
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        sys.exit(f"{sys.argv[3]}: no place for the table")
    head, rest = readme.split(BEGIN)
    tail = rest.split(END)[1]
    replace(sys.argv[2], draw(rows))
    figures = table(rows, alone, skipped, where)
    replace(sys.argv[3], head + BEGIN + figures + END + tail)


main()
