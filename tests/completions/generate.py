#!/usr/bin/python3
"""Writes the completions of all tools from what their --help says.

usage: generate.py BUILD TREE [--check]

BUILD is where the tools are, TREE the top of the source tree, whose
completions/ is written, or with --check compared.  One source, so that a
completion never offers what a tool does not have.
"""
import os
import re
import subprocess
import sys

KEY_COMMANDS = ("new passphrase topic show export import identity public "
                "trust").split()
# What an option's argument is, by the option's long name.
KEYS, IDS, FILES, DIRS, WORDS = "keys", "ids", "files", "dirs", "words"
KIND = {
    "key": KEYS, "identity": IDS, "state": FILES, "trust": FILES,
    "output": FILES, "passfile": FILES, "cafile": FILES, "cert": FILES,
    "cacert": FILES, "header-file": FILES, "password-file": FILES,
}
CHOICES = {"trust-new": "first-use never", "suite": "zp1 mles",
           "stream": "sse json"}


def options(build, words):
    """(letter, name, argument, help) of each option of a tool."""
    text = subprocess.run([os.path.join(build, words[0])] + words[1:] +
                          ["--help"], stdout=subprocess.PIPE, check=True,
                          stdin=subprocess.DEVNULL).stdout.decode()
    found = []
    for line in text.splitlines():
        m = re.match(r"^  (?:-(\S), |    )--([a-z0-9-]+)(?: (\S+))? +(\S.*)$",
                     line)
        if m:
            found.append(tuple(x or "" for x in m.groups()))
    return found


def tools(build):
    names = sorted(n for n in os.listdir(build) if n.startswith("zpinc-") and
                   os.access(os.path.join(build, n), os.X_OK) and
                   "." not in n and not os.path.islink(
                       os.path.join(build, n)))
    return names


def everything(build):
    """{command words: options}, zpinc-key's subcommands apart."""
    out = {}
    for name in tools(build):
        if name == "zpinc-key":
            for sub in KEY_COMMANDS:
                out[name, sub] = options(build, [name, sub])
        else:
            out[(name,)] = options(build, [name])
    return out


def bash(all_):
    arms = []
    for words, opts in all_.items():
        flags = " ".join(f"--{n}" for _, n, _, _ in opts)
        flags += "".join(f" -{l}" for l, _, _, _ in opts if l)
        arms.append(f"\t'{' '.join(words)}') opts='{flags}' ;;")
    names = sorted({w[0] for w in all_})
    values = []
    for kind, action in ((KEYS, "_zpinc_names key"), (IDS, "_zpinc_names id"),
                         (FILES, "compgen -f")):
        words = set()
        for opts in all_.values():
            for letter, name, arg, _ in opts:
                if arg and KIND.get(name) == kind:
                    words.add("--" + name)
        values.append(f"\t{'|'.join(sorted(words))}) "
                      f"mapfile -t COMPREPLY < <({action} -- \"$cur\"); "
                      "return ;;")
    for name, words in sorted(CHOICES.items()):
        values.append(f"\t--{name}) mapfile -t COMPREPLY < <(compgen -W "
                      f"'{words}' -- \"$cur\"); return ;;")
    nl = "\n"
    return f"""# shellcheck shell=bash
# bash completion of the zpinc tools; generated from their --help.

# Names of keys (key) or identities (id) in the user's folder, and files.
_zpinc_names() {{
	local dir=${{XDG_CONFIG_HOME:-$HOME/.config}}/zpinc f
	for f in "$dir/$3"*."$1"; do
		[ -e "$f" ] || continue
		f=${{f##*/}}
		printf '%s\\n' "${{f%.*}}"
	done
	[[ $3 != */* ]] || compgen -f -- "$3"
}}

_zpinc() {{
	local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
	local cmd=${{COMP_WORDS[0]##*/}} opts=
	COMPREPLY=()
	if [ "$cmd" = zpinc-key ]; then
		if [ "$COMP_CWORD" = 1 ]; then
			mapfile -t COMPREPLY < <(compgen -W \\
				'{' '.join(KEY_COMMANDS)}' -- "$cur")
			return
		fi
		cmd="zpinc-key ${{COMP_WORDS[1]}}"
	fi
	case $prev in
	-k) prev=--key ;;
	-i) prev=--identity ;;
	-o) prev=--output ;;
	esac
	case $prev in
{nl.join(values)}
	esac
	case $cmd in
{nl.join(arms)}
	esac
	mapfile -t COMPREPLY < <(compgen -W "$opts" -- "$cur")
}}

complete -o default -F _zpinc {' '.join(names)}
"""


def zsh_quote(text):
    return (text.replace("'", "'\\''").replace("[", "\\[")
            .replace("]", "\\]").replace(":", "\\:"))


def zsh_spec(opt):
    letter, name, arg, help_ = opt
    value = ""
    if arg:
        kind = KIND.get(name)
        action = {KEYS: "_zpinc_keys", IDS: "_zpinc_ids",
                  FILES: "_files"}.get(kind, " ")
        if name in CHOICES:
            action = f"({CHOICES[name]})"
        value = f":{zsh_quote(arg)}:{action}"
    desc = f"[{zsh_quote(help_)}]"
    if letter:
        return (f"\t\t'(-{letter} --{name})'{{-{letter},--{name}}}'"
                f"{desc}{value}' \\")
    return f"\t\t'--{name}{desc}{value}' \\"


def zsh(all_):
    names = sorted({w[0] for w in all_})
    body = []
    for words, opts in all_.items():
        if len(words) > 1:
            continue
        specs = "\n".join(zsh_spec(o) for o in opts)
        body.append(f"\t{words[0]})\n\t\t_arguments -s \\\n{specs}\n"
                    "\t\t'*:operand:_files' ;;")
    subs = []
    for words, opts in all_.items():
        if len(words) == 1:
            continue
        specs = "\n".join(zsh_spec(o) for o in opts)
        subs.append(f"\t{words[1]})\n\t\t_arguments -s \\\n{specs}\n"
                    "\t\t'*:operand:_files' ;;")
    nl = "\n"
    return f"""#compdef {' '.join(names)}
# zsh completion of the zpinc tools; generated from their --help.

_zpinc_keys() {{
	local dir=${{XDG_CONFIG_HOME:-$HOME/.config}}/zpinc
	compadd -- $dir/*.key(N:t:r)
	_files
}}

_zpinc_ids() {{
	local dir=${{XDG_CONFIG_HOME:-$HOME/.config}}/zpinc
	compadd -- $dir/*.id(N:t:r)
	_files
}}

_zpinc_key() {{
	if (( CURRENT == 2 )); then
		compadd -- {' '.join(KEY_COMMANDS)}
		return
	fi
	local sub=$words[2]
	shift words
	(( CURRENT-- ))
	case $sub in
{nl.join(subs)}
	esac
}}

case $service in
	zpinc-key) _zpinc_key ;;
{nl.join(body)}
esac
"""


def fish(all_):
    lines = ["# fish completion of the zpinc tools; generated from their "
             "--help.", "",
             "function __zpinc_names --argument-names kind",
             "\tset -l dir $XDG_CONFIG_HOME",
             "\ttest -n \"$dir\"; or set dir $HOME/.config",
             "\tfor f in $dir/zpinc/*.$kind",
             "\t\tstring replace -r '\\.[a-z]*$' '' (basename $f)",
             "\tend", "end", ""]
    lines.append("complete -c zpinc-key -n __fish_use_subcommand -f -a "
                 f"'{' '.join(KEY_COMMANDS)}'")
    for words, opts in all_.items():
        cond = ""
        if len(words) > 1:
            cond = f" -n '__fish_seen_subcommand_from {words[1]}'"
        for letter, name, arg, help_ in opts:
            line = f"complete -c {words[0]}{cond} -l {name}"
            if letter:
                line += f" -s {letter}"
            if arg:
                line += " -r"
                if name in CHOICES:
                    line += f" -f -a '{CHOICES[name]}'"
                elif KIND.get(name) == KEYS:
                    line += " -a '(__zpinc_names key)'"
                elif KIND.get(name) == IDS:
                    line += " -a '(__zpinc_names id)'"
            help_ = help_.replace("\\", "\\\\").replace("'", "\\'")
            line += f" -d '{help_}'"
            lines.append(line)
    return "\n".join(lines) + "\n"


def main():
    build, tree = sys.argv[1:3]
    check = "--check" in sys.argv
    all_ = everything(build)
    bad = 0
    for name, text in (("zpinc.bash", bash(all_)), ("_zpinc", zsh(all_)),
                       ("zpinc.fish", fish(all_))):
        path = os.path.join(tree, "completions", name)
        if check:
            with open(path) as f:
                if f.read() != text:
                    print(f"{name} is not what the tools' --help says")
                    bad = 1
        else:
            with open(path, "w") as f:
                f.write(text)
    return bad


if __name__ == "__main__":
    sys.exit(main())
