# shellcheck shell=bash
# bash completion of the zpinc tools; generated from their --help.

# Names of keys (key) or identities (id) in the user's folder, and files.
_zpinc_names() {
	local dir=${XDG_CONFIG_HOME:-$HOME/.config}/zpinc f
	for f in "$dir/$3"*."$1"; do
		[ -e "$f" ] || continue
		f=${f##*/}
		printf '%s\n' "${f%.*}"
	done
	[[ $3 != */* ]] || compgen -f -- "$3"
}

_zpinc() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local cmd=${COMP_WORDS[0]##*/} opts=
	COMPREPLY=()
	if [ "$cmd" = zpinc-key ]; then
		if [ "$COMP_CWORD" = 1 ]; then
			mapfile -t COMPREPLY < <(compgen -W \
				'new passphrase topic show export import identity public trust' -- "$cur")
			return
		fi
		cmd="zpinc-key ${COMP_WORDS[1]}"
	fi
	case $prev in
	-k) prev=--key ;;
	-i) prev=--identity ;;
	-o) prev=--output ;;
	esac
	case $prev in
	--key) mapfile -t COMPREPLY < <(_zpinc_names key -- "$cur"); return ;;
	--identity) mapfile -t COMPREPLY < <(_zpinc_names id -- "$cur"); return ;;
	--cacert|--cafile|--cert|--header-file|--output|--passfile|--state|--trust) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--stream) mapfile -t COMPREPLY < <(compgen -W 'sse json' -- "$cur"); return ;;
	--suite) mapfile -t COMPREPLY < <(compgen -W 'zp1 mles' -- "$cur"); return ;;
	--trust-new) mapfile -t COMPREPLY < <(compgen -W 'first-use never' -- "$cur"); return ;;
	esac
	case $cmd in
	'zpinc-file') opts='--cursor --once --timeout --keep --help --version -c -1 -t -n -h -V' ;;
	'zpinc-handshake') opts='--key --uid --identity --members --min --timeout --output --force --trust --trust-new --sub --pub --confine --verbose --help --version -k -u -i -m -n -t -o -f -v -h -V' ;;
	'zpinc-http') opts='--cursor --once --timeout --keepalive --cacert --header-file --window --batch --quiet --stream --help --version -c -1 -t -k -C -H -w -b -q -s -h -V' ;;
	'zpinc-key new') opts='--channel --output --random --passfile --work --suite --force --help --version -c -o -f -h -V' ;;
	'zpinc-key passphrase') opts='--words --help --version -h -V' ;;
	'zpinc-key topic') opts='--key --live --uid --help --version -k -u -h -V' ;;
	'zpinc-key show') opts='--key --help --version -k -h -V' ;;
	'zpinc-key export') opts='--key --force --help --version -k -f -h -V' ;;
	'zpinc-key import') opts='--output --force --help --version -o -f -h -V' ;;
	'zpinc-key identity') opts='--output --force --help --version -o -f -h -V' ;;
	'zpinc-key public') opts='--identity --help --version -i -h -V' ;;
	'zpinc-key trust') opts='--key --trust --help --version -k -h -V' ;;
	'zpinc-mles') opts='--cursor --once --timeout --keepalive --uid --cafile --cert --key --help --version -c -1 -t -k -u -h -V' ;;
	'zpinc-mqtt') opts='--cursor --once --timeout --keepalive --state --cafile --cert --key --help --version -c -1 -t -k -s -h -V' ;;
	'zpinc-open') opts='--key --format --json --raw --state --trust --trust-new --strict --all --count --wait --max-age --expect --verbose --confine --help --version -k -F -j -C -W -v -h -V' ;;
	'zpinc-pipe') opts='--key --uid --identity --members --format --json --echo --listen --notes --require-fs --fallback --rekey --state --max-record --max-members --no-time --trust --trust-new --typing --sub --pub --confine --verbose --help --version -k -u -i -m -F -j -v -h -V' ;;
	'zpinc-redis') opts='--cursor --once --timeout --keepalive --keep --cafile --cert --key --help --version -c -1 -t -k -n -h -V' ;;
	'zpinc-seal') opts='--key --uid --identity --whole --state --max-record --no-time --file --confine --help --version -k -u -i -w -h -V' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$opts" -- "$cur")
}

complete -o default -F _zpinc zpinc-file zpinc-handshake zpinc-http zpinc-key zpinc-mles zpinc-mqtt zpinc-open zpinc-pipe zpinc-redis zpinc-seal
