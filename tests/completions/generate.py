#!/usr/bin/python3
"""Writes the completions of all tools from what their --help says.

usage: generate.py BUILD TREE [--check]

BUILD is where the tools are, TREE the top of the source tree, whose
completions/ is written, or with --check compared.  One source, so that a
completion never offers what a tool does not have.
"""
import collections
import os
import re
import subprocess
import sys

KEY_COMMANDS = ("new passphrase topic show export import identity public "
                "trust").split()
# What trust is asked to do; it lists if it is not told.
TRUST_COMMANDS = "list pin forget".split()
# What an option's argument is, by what the tool's --help calls it: so --key
# FILE is another thing than --key KEY, and -k SECONDS than -k KEY.  Names of
# users are not offered: others chose them, and only their channel knows them.
KEYS, IDS, FILES, DIRS, COMMANDS, NOTHING = (
    "key", "id", "files", "dirs", "commands", "nothing")
KIND = {"KEY": KEYS, "IDENTITY": IDS, "FILE": FILES, "CONVKEY": FILES,
        "DIR": DIRS, "COMMAND": COMMANDS}
KIND.update((arg, NOTHING) for arg in (
    "BYTES CURSOR FORMAT L MIN N NAME S SECONDS T TIME TYPE UID UID,... "
    "UID=AGE").split())
# And words to choose from, by the option's long name.
CHOICES = {"trust-new": "first-use never", "suite": "zp1 mles",
           "stream": "sse json"}

Option = collections.namedtuple("Option", "letter name arg help many")


def kind(opt):
    """What the option's argument is: None, a kind, or the words."""
    if not opt.arg:
        return None
    if opt.name in CHOICES:
        return CHOICES[opt.name]
    if opt.arg not in KIND:
        sys.exit(f"--{opt.name} {opt.arg}: what is that? (KIND, CHOICES)")
    return KIND[opt.arg]


def options(build, words):
    """The options of a tool, or of one of its commands."""
    text = subprocess.run([os.path.join(build, words[0])] + words[1:] +
                          ["--help"], stdout=subprocess.PIPE, check=True,
                          stdin=subprocess.DEVNULL).stdout.decode()
    found = []
    for line in text.splitlines():
        m = re.match(r"^  (?:-(\S), |    )--([a-z0-9-]+)(?: (\S+))? +(\S.*)$",
                     line)
        if m:
            letter, name, arg, help_ = (x or "" for x in m.groups())
            many = re.search(rf"\[(-{letter or '-'}|--{name}) \S+ \.\.\.\]",
                             text) is not None
            found.append(Option(letter, name, arg, help_, many))
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
            for verb in TRUST_COMMANDS:
                out[name, "trust", verb] = options(build,
                                                   [name, "trust", verb])
        else:
            out[(name,)] = options(build, [name])
    return out


def spelled(opt):
    return [f"--{opt.name}"] + ([f"-{opt.letter}"] if opt.letter else [])


def bash(all_):
    arms = []
    for words, opts in all_.items():
        flags = " ".join(f"--{o.name}" for o in opts)
        flags += "".join(f" -{o.letter}" for o in opts if o.letter)
        arms.append(f"\t'{' '.join(words)}')\n\t\topts='{flags}'")
        values = {}
        for opt in opts:
            if opt.arg:
                values.setdefault(kind(opt), []).extend(spelled(opt))
        if values:
            arms.append("\t\tcase $opt in")
            for k, names in values.items():
                arms.append(f"\t\t{'|'.join(names)}) kind='{k}' ;;")
            arms.append("\t\tesac")
        arms[-1] += " ;;"
    names = sorted({w[0] for w in all_})
    nl = "\n"
    return f"""# shellcheck shell=bash
# bash completion of the zpinc tools; generated from their --help.

# Names of keys (key) or identities (id) in the user's folder.  They are the
# user's words, so they are quoted.
_zpinc_names() {{
	local dir=${{XDG_CONFIG_HOME:-$HOME/.config}}/zpinc f quoted
	for f in "$dir"/*."$1"; do
		[ -e "$f" ] || continue
		f=${{f##*/}}
		f=${{f%.*}}
		printf -v quoted %q "$f"
		if [[ $f == "$2"* || $quoted == "$2"* ]]; then
			COMPREPLY+=("$3$quoted")
		fi
	done
}}

# An option's argument, of kind $1, that begins with $2; $3 stands before it.
# Files are readline's: it knows how to quote them, and that folders go on.
_zpinc_value() {{
	case $1 in
	nothing) compopt +o default ;;
	dirs) compopt +o default -o dirnames ;;
	key|id)
		# With a slash it is a path, else it is none.
		if [[ $2 != */* ]]; then
			compopt +o default -o dirnames
			_zpinc_names "$1" "$2" "$3"
			return
		fi ;;
	files) ;;
	commands)
		if [[ $2 != */* ]]; then
			mapfile -t COMPREPLY < <(compgen -c -P "$3" -- "$2")
		fi ;;
	*)
		compopt +o default
		mapfile -t COMPREPLY < <(compgen -W "$1" -P "$3" -- "$2") ;;
	esac
}}

_zpinc() {{
	local cur=${{COMP_WORDS[COMP_CWORD]}} opt=${{COMP_WORDS[COMP_CWORD-1]}}
	local cmd=${{COMP_WORDS[0]##*/}} opts='' kind='' before='' equals=''
	COMPREPLY=()
	if [ "$cmd" = zpinc-key ]; then
		if [ "$COMP_CWORD" = 1 ]; then
			mapfile -t COMPREPLY < <(compgen -W \\
				'{' '.join(KEY_COMMANDS)}' -- "$cur")
			return
		fi
		cmd="zpinc-key ${{COMP_WORDS[1]}}"
	fi
	if [ "$cmd" = 'zpinc-key trust' ]; then
		if [ "$COMP_CWORD" = 2 ] && [[ $cur != -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W \\
				'{' '.join(TRUST_COMMANDS)}' -- "$cur")
			return
		fi
		case ${{COMP_WORDS[2]}} in
		{'|'.join(TRUST_COMMANDS)}) cmd="$cmd ${{COMP_WORDS[2]}}" ;;
		esac
	fi
	# --option=value is three words, or one where = does not break them.
	if [ "$cur" = = ]; then
		equals=1 cur=''
	elif [ "$opt" = = ]; then
		equals=1 opt=${{COMP_WORDS[COMP_CWORD-2]}}
	elif [[ $cur == --*=* ]]; then
		equals=1 opt=${{cur%%=*}} before=${{cur%%=*}}= cur=${{cur#*=}}
	fi
	if [ -n "$equals" ] && [[ $opt != --* ]]; then
		return
	fi
	case $cmd in
{nl.join(arms)}
	esac
	if [ -n "$kind" ]; then
		_zpinc_value "$kind" "$cur" "$before"
	elif [ -z "$equals" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$opts" -- "$cur")
	fi
}}

complete -o default -F _zpinc {' '.join(names)}
"""


def zsh_quote(text):
    return (text.replace("'", "'\\''").replace("[", "\\[")
            .replace("]", "\\]").replace(":", "\\:"))


ZSH = {KEYS: "_zpinc_keys", IDS: "_zpinc_ids", FILES: "_files",
       DIRS: "_files -/", COMMANDS: "_cmdstring", NOTHING: " "}


def zsh_spec(opt):
    value = short = equals = ""
    if opt.arg:
        short, equals = "+", "="
        k = kind(opt)
        value = f":{zsh_quote(opt.arg)}:{ZSH.get(k) or f'({k})'}"
    desc = f"[{zsh_quote(opt.help)}]"
    many = "*" if opt.many else ""
    if opt.letter:
        only = many or f"(-{opt.letter} --{opt.name})"
        return (f"'{only}'{{-{opt.letter}{short},--{opt.name}{equals}}}'"
                f"{desc}{value}'")
    return f"'{many}--{opt.name}{equals}{desc}{value}'"


def zsh_arm(word, opts):
    specs = "".join(f"\t\t{zsh_spec(o)} \\\n" for o in opts)
    return f"\t{word})\n\t\t_arguments -s \\\n{specs}\t\t'*:operand:_files' ;;"


def zsh(all_):
    names = sorted({w[0] for w in all_})
    body = [zsh_arm(words[0], opts) for words, opts in all_.items()
            if len(words) == 1]
    subs = [zsh_arm("-".join(words[1:]), opts) for words, opts in all_.items()
            if len(words) > 1]
    nl = "\n"
    return f"""#compdef {' '.join(names)}
# zsh completion of the zpinc tools; generated from their --help.

# Names of keys (key) or identities (id) in the user's folder; with a slash it
# is a path, else it is none.
_zpinc_names() {{
	local dir=${{XDG_CONFIG_HOME:-$HOME/.config}}/zpinc kind=$1
	local -a names
	shift
	if [[ $PREFIX == */* ]]; then
		_files
		return
	fi
	names=($dir/*.$kind(N:t:r))
	local -i ret=1
	compadd "$@" -a names && ret=0
	_path_files -/ && ret=0
	return ret
}}

_zpinc_keys() {{
	_zpinc_names key "$@"
}}

_zpinc_ids() {{
	_zpinc_names id "$@"
}}

_zpinc_key() {{
	if (( CURRENT == 2 )); then
		compadd -- {' '.join(KEY_COMMANDS)}
		return
	fi
	local sub=$words[2]
	shift words
	(( CURRENT-- ))
	if [[ $sub == trust ]]; then
		if (( CURRENT == 2 )) && [[ $PREFIX != -* ]]; then
			compadd -- {' '.join(TRUST_COMMANDS)}
			return
		fi
		if (( CURRENT > 2 )) &&
			[[ $words[2] == ({'|'.join(TRUST_COMMANDS)}) ]]; then
			sub=trust-$words[2]
			shift words
			(( CURRENT-- ))
		fi
	fi
	case $sub in
{nl.join(subs)}
	esac
}}

case $service in
	zpinc-key) _zpinc_key ;;
{nl.join(body)}
esac
"""


# Files are what fish offers of its own accord.
FISH = {KEYS: " -x -a '(__zpinc_names key)'",
        IDS: " -x -a '(__zpinc_names id)'", FILES: " -r -F",
        DIRS: " -x -a '(__fish_complete_directories (__zpinc_word))'",
        COMMANDS: " -x -a '(complete -C (__zpinc_word))'", NOTHING: " -x"}


def fish(all_):
    verbs = " ".join(TRUST_COMMANDS)
    lines = [f"""# fish completion of the zpinc tools; generated from --help.

# What there is of an option's argument.
function __zpinc_word
	string replace -r '^(--[^=]*=|-[A-Za-z0-9])' '' -- (commandline -ct)
end

# Names of keys (key) or identities (id) in the user's folder; with a slash it
# is a path, else it is none.
function __zpinc_names --argument-names kind
	set -l word (__zpinc_word)
	if string match -q '*/*' -- $word
		complete -C "__zpinc_names $word"
		return
	end
	set -l dir $XDG_CONFIG_HOME
	test -n "$dir"; or set dir $HOME/.config
	for f in $dir/zpinc/*.$kind
		string replace -r '^.*/(.*)\\.[a-z]*$' '$1' -- $f
	end
	__fish_complete_directories $word
end

# Is this the command that zpinc-key was given?
function __zpinc_key
	set -l words (commandline -opc)
	set -l command $words[2]
	if test "$command" = trust; and contains -- "$words[3]" {verbs}
		set -a command $words[3]
	end
	test "$command" = "$argv"
end

# Has it none yet, or trust nothing behind it?
function __zpinc_key_next
	__zpinc_key $argv
	and test (count (commandline -opc)) = (math 1 + (count $argv))
end
""",
             "complete -c zpinc-key -n __zpinc_key_next -f -a "
             f"'{' '.join(KEY_COMMANDS)}'",
             "complete -c zpinc-key -n '__zpinc_key_next trust' -f -a "
             f"'{verbs}'"]
    for words, opts in all_.items():
        cond = ""
        if len(words) > 1:
            cond = f" -n '__zpinc_key {' '.join(words[1:])}'"
        for opt in opts:
            line = f"complete -c {words[0]}{cond} -l {opt.name}"
            if opt.letter:
                line += f" -s {opt.letter}"
            if opt.arg:
                k = kind(opt)
                line += FISH.get(k) or f" -x -a '{k}'"
            help_ = opt.help.replace("\\", "\\\\").replace("'", "\\'")
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
