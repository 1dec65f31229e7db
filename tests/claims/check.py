#!/usr/bin/python3
"""Does every promise have its test?

check.py [CLAIMS]: reads claims.txt, where a line

	README: words of README.md
	zpinc(7): words of man/zpinc.7

names a promise, and the indented lines under it the tests that defend it,
each as `file: name`.  The words must stand in the page and the names in the
files; and each promise that the pages list must be among them.  Prints what
is not so, and ends with 1 then.
"""
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
wrong = []


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def squeeze(text):
    return " ".join(text.split())


def shown(roff):
    """mdoc's source as plain words: without requests, macros, escapes."""
    out = []
    for line in roff.splitlines():
        if line.startswith('.\\"'):
            continue
        line = re.sub(r"^\.(?:[A-Z][a-z] )?", "", line)
        out.append(line.replace("\\&", "").replace("\\e", "\\"))
    return squeeze(" ".join(out)).replace(" ,", ",").replace(" .", ".")


def section(text, begin, end):
    return text.split(begin, 1)[1].split(end, 1)[0]


def promises_of_readme(text):
    """Rows of the table, the first cell; bullets, the bold words; tools."""
    protects = section(text, "## What it protects", "\n## ")
    for row in re.findall(r"^\| ([^|]+) \|", protects, re.M):
        yield row
    for bold in re.findall(r"^- \*\*(.+?)\*\*", protects, re.M):
        yield bold
    for tool in re.findall(r"^\| (`zpinc-\w+`) \|",
                           section(text, "## Tools", "\n## "), re.M):
        yield tool


def promises_of_manual(text):
    """What each party must not be able to do, item by item."""
    part = section(text, ".Sh WHO IS TRUSTED WITH WHAT",
                   ".Sh WHAT IS NOT PROMISED")
    for listing in re.findall(r"^\.Bl -bullet.*?^\.El", part, re.M | re.S):
        for item in listing.split("\n.It\n")[1:]:
            yield shown(item.replace(".El", ""))
    for item in section(text, ".Sh WHAT HOLDS", ".El").split("\n.It Em ")[1:]:
        yield shown(item.split("\n", 1)[1])


def defended(path, name):
    try:
        source = text_of(path)
    except OSError:
        return False
    if path.endswith(".bats") or path.endswith(".suite"):
        return f'@test "{name}" {{' in source
    return f'"{name}"' in source


def main():
    readme, manual = text_of("README.md"), text_of("man/zpinc.7")
    pages = {"README": squeeze(readme), "zpinc(7)": shown(manual)}
    claims = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
        ROOT, "tests/claims/claims.txt")
    words = {"README": [], "zpinc(7)": []}
    tests = -1
    with open(claims, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            if line.startswith("\t"):
                path, name = line.strip().split(": ", 1)
                tests += 1
                if not defended(path, name):
                    wrong.append(f"line {number}: no such test: {path}: "
                                 f"{name}")
                continue
            if tests == 0:
                wrong.append(f"line {number}: no test for the one before")
            tests = 0
            page, words_of = line.split(": ", 1)
            words[page].append(words_of)
            if words_of not in pages[page]:
                wrong.append(f"line {number}: {page} does not say: "
                             f"{words_of}")
    if tests == 0:
        wrong.append("no test for the last promise")
    for page, promises in (("README", promises_of_readme(readme)),
                           ("zpinc(7)", promises_of_manual(manual))):
        found = 0
        for promise in promises:
            found += 1
            if promise.strip() and not any(w in promise for w in words[page]):
                wrong.append(f"{page} promises without a test: {promise}")
        if found < 10:
            wrong.append(f"{page}: only {found} promises found")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


sys.exit(main())
