# shellcheck shell=bash
# bash completion of the zpinc tools; generated from their --help.

# Names of keys (key) or identities (id) in the user's folder.  They are the
# user's words, so they are quoted.
_zpinc_names() {
	local dir=${XDG_CONFIG_HOME:-$HOME/.config}/zpinc f quoted
	for f in "$dir"/*."$1"; do
		[ -e "$f" ] || continue
		f=${f##*/}
		f=${f%.*}
		printf -v quoted %q "$f"
		if [[ $f == "$2"* || $quoted == "$2"* ]]; then
			COMPREPLY+=("$3$quoted")
		fi
	done
}

# An option's argument, of kind $1, that begins with $2; $3 stands before it.
# Files are readline's: it knows how to quote them, and that folders go on.
_zpinc_value() {
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
}

_zpinc() {
	local cur=${COMP_WORDS[COMP_CWORD]} opt=${COMP_WORDS[COMP_CWORD-1]}
	local cmd=${COMP_WORDS[0]##*/} opts='' kind='' before='' equals=''
	COMPREPLY=()
	if [ "$cmd" = zpinc-key ]; then
		if [ "$COMP_CWORD" = 1 ]; then
			mapfile -t COMPREPLY < <(compgen -W \
				'new passphrase topic show export import identity public trust' -- "$cur")
			return
		fi
		cmd="zpinc-key ${COMP_WORDS[1]}"
	fi
	if [ "$cmd" = 'zpinc-key trust' ]; then
		if [ "$COMP_CWORD" = 2 ] && [[ $cur != -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W \
				'list pin forget' -- "$cur")
			return
		fi
		case ${COMP_WORDS[2]} in
		list|pin|forget) cmd="$cmd ${COMP_WORDS[2]}" ;;
		esac
	fi
	# --option=value is three words, or one where = does not break them.
	if [ "$cur" = = ]; then
		equals=1 cur=''
	elif [ "$opt" = = ]; then
		equals=1 opt=${COMP_WORDS[COMP_CWORD-2]}
	elif [[ $cur == --*=* ]]; then
		equals=1 opt=${cur%%=*} before=${cur%%=*}= cur=${cur#*=}
	fi
	if [ -n "$equals" ] && [[ $opt != --* ]]; then
		return
	fi
	case $cmd in
	'zpinc-file')
		opts='--cursor --once --timeout --keep --help --version -c -1 -t -n -h -V'
		case $opt in
		--cursor|-c|--timeout|-t|--keep|-n) kind='nothing' ;;
		esac ;;
	'zpinc-handshake')
		opts='--key --uid --identity --members --min --timeout --output --force --trust --trust-new --sub --pub --confine --verbose --help --version -k -u -i -m -n -t -o -f -v -h -V'
		case $opt in
		--key|-k) kind='key' ;;
		--uid|-u|--members|-m|--min|-n|--timeout|-t) kind='nothing' ;;
		--identity|-i) kind='id' ;;
		--output|-o|--trust) kind='files' ;;
		--trust-new) kind='first-use never' ;;
		--sub|--pub) kind='commands' ;;
		esac ;;
	'zpinc-http')
		opts='--cursor --once --timeout --keepalive --cacert --header-file --window --batch --quiet --stream --help --version -c -1 -t -k -C -H -w -b -q -s -h -V'
		case $opt in
		--cursor|-c|--timeout|-t|--keepalive|-k|--window|-w|--batch|-b|--quiet|-q) kind='nothing' ;;
		--cacert|-C|--header-file|-H) kind='files' ;;
		--stream|-s) kind='sse json' ;;
		esac ;;
	'zpinc-key new')
		opts='--channel --output --random --passfile --work --suite --force --help --version -c -o -f -h -V'
		case $opt in
		--channel|-c|--work) kind='nothing' ;;
		--output|-o|--passfile) kind='files' ;;
		--suite) kind='zp1 mles' ;;
		esac ;;
	'zpinc-key passphrase')
		opts='--words --help --version -h -V'
		case $opt in
		--words) kind='nothing' ;;
		esac ;;
	'zpinc-key topic')
		opts='--key --live --uid --help --version -k -u -h -V'
		case $opt in
		--key|-k) kind='key' ;;
		--uid|-u) kind='nothing' ;;
		esac ;;
	'zpinc-key show')
		opts='--key --help --version -k -h -V'
		case $opt in
		--key|-k) kind='key' ;;
		esac ;;
	'zpinc-key export')
		opts='--key --force --help --version -k -f -h -V'
		case $opt in
		--key|-k) kind='key' ;;
		esac ;;
	'zpinc-key import')
		opts='--output --force --help --version -o -f -h -V'
		case $opt in
		--output|-o) kind='files' ;;
		esac ;;
	'zpinc-key identity')
		opts='--output --force --help --version -o -f -h -V'
		case $opt in
		--output|-o) kind='files' ;;
		esac ;;
	'zpinc-key public')
		opts='--identity --help --version -i -h -V'
		case $opt in
		--identity|-i) kind='id' ;;
		esac ;;
	'zpinc-key trust')
		opts='--key --trust --help --version -k -h -V'
		case $opt in
		--key|-k) kind='key' ;;
		--trust) kind='files' ;;
		esac ;;
	'zpinc-key trust list')
		opts='--key --trust --help --version -k -h -V'
		case $opt in
		--key|-k) kind='key' ;;
		--trust) kind='files' ;;
		esac ;;
	'zpinc-key trust pin')
		opts='--key --trust --help --version -k -h -V'
		case $opt in
		--key|-k) kind='key' ;;
		--trust) kind='files' ;;
		esac ;;
	'zpinc-key trust forget')
		opts='--key --trust --help --version -k -h -V'
		case $opt in
		--key|-k) kind='key' ;;
		--trust) kind='files' ;;
		esac ;;
	'zpinc-mles')
		opts='--cursor --once --timeout --keepalive --uid --cafile --cert --key --help --version -c -1 -t -k -u -h -V'
		case $opt in
		--cursor|-c|--timeout|-t|--keepalive|-k|--uid|-u) kind='nothing' ;;
		--cafile|--cert|--key) kind='files' ;;
		esac ;;
	'zpinc-mqtt')
		opts='--cursor --once --timeout --keepalive --state --cafile --cert --key --help --version -c -1 -t -k -s -h -V'
		case $opt in
		--cursor|-c|--timeout|-t|--keepalive|-k) kind='nothing' ;;
		--state|-s|--cafile|--cert|--key) kind='files' ;;
		esac ;;
	'zpinc-open')
		opts='--key --format --json --raw --state --trust --trust-new --strict --all --count --wait --max-age --expect --verbose --confine --help --version -k -F -j -C -W -v -h -V'
		case $opt in
		--key|-k) kind='key' ;;
		--format|-F|--count|-C|--wait|-W|--max-age|--expect) kind='nothing' ;;
		--state|--trust) kind='files' ;;
		--trust-new) kind='first-use never' ;;
		esac ;;
	'zpinc-pipe')
		opts='--key --uid --identity --members --format --json --echo --listen --notes --require-fs --fallback --rekey --state --max-record --max-members --no-time --trust --trust-new --typing --sub --pub --confine --verbose --help --version -k -u -i -m -F -j -v -h -V'
		case $opt in
		--key|-k) kind='key' ;;
		--uid|-u|--members|-m|--format|-F|--rekey|--max-record|--max-members) kind='nothing' ;;
		--identity|-i) kind='id' ;;
		--state) kind='dirs' ;;
		--trust) kind='files' ;;
		--trust-new) kind='first-use never' ;;
		--sub|--pub) kind='commands' ;;
		esac ;;
	'zpinc-redis')
		opts='--cursor --once --timeout --keepalive --keep --cafile --cert --key --help --version -c -1 -t -k -n -h -V'
		case $opt in
		--cursor|-c|--timeout|-t|--keepalive|-k|--keep|-n) kind='nothing' ;;
		--cafile|--cert|--key) kind='files' ;;
		esac ;;
	'zpinc-seal')
		opts='--key --uid --identity --whole --state --max-record --no-time --file --confine --help --version -k -u -i -w -h -V'
		case $opt in
		--key|-k) kind='key' ;;
		--uid|-u|--max-record|--file) kind='nothing' ;;
		--identity|-i) kind='id' ;;
		--state) kind='files' ;;
		esac ;;
	esac
	if [ -n "$kind" ]; then
		_zpinc_value "$kind" "$cur" "$before"
	elif [ -z "$equals" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$opts" -- "$cur")
	fi
}

complete -o default -F _zpinc zpinc-file zpinc-handshake zpinc-http zpinc-key zpinc-mles zpinc-mqtt zpinc-open zpinc-pipe zpinc-redis zpinc-seal
