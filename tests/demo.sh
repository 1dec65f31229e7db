#!/bin/sh
# A conversation, for people to look at: sh tests/demo.sh [RELAY], or make
# demo.  RELAY: file, or one of the servers redis, mqtt and nchan, which is
# started on a free port of the loopback.  Exits with 1 if anything is not as
# it should be.
set -u

: "${ZP_ROOT:=$(cd "$(dirname "$0")/.." && pwd)}"
: "${ZP_BUILD:=$ZP_ROOT/build/release}"
export ZP_ROOT ZP_BUILD
PATH=$ZP_BUILD:$PATH
relay=${1:-file}
dir=$(mktemp -d "${TMPDIR:-/tmp}/zpinc-demo.XXXXXX") || exit 1
XDG_STATE_HOME=$dir/state XDG_CONFIG_HOME=$dir/config
export XDG_STATE_HOME XDG_CONFIG_HOME
unset ZPINC_URL ZPINC_UID
pids=
server=

say() { printf '\n%s\n' "$*"; }

# Whatever was started ends, by its number.
clean() {
	# shellcheck disable=SC2086
	[ -z "$pids$server" ] || kill $pids $server 2>/dev/null
	wait
	rm -rf "$dir"
}
trap 'exit 1' INT TERM HUP
trap clean EXIT

wrong() {
	printf '\ndemo: NOT as it should be: %s\n' "$*" >&2
	tail -n 50 "$dir"/*.err "$dir"/*.out >&2
	exit 1
}

# ---- relays: a URL each, and for all but a folder a server ----------------

# The tests' way to start servers is in bash's language.  The server becomes
# a child of that bash, which stays with it, and ends with it.
serve() { # START PORT PID
	mkfifo "$dir/port"
	bash -c '. "$ZP_ROOT/tests/compose/servers.bash"
		trap "stop_server \"\${!3}\"; exit" TERM
		"$1" "$0/server" || { echo > "$0/port"; exit 1; }
		echo "${!2}" > "$0/port"
		wait "${!3}"' "$dir" "$@" &
	server=$!
	read -r port < "$dir/port"
	[ -n "$port" ] || wrong "$1 failed"
}

# That of zpinc-http(1).
nchan_conf() {
	awk '/^\.\\" example / { on = $3 == "nginx-conf" }
		on && /^ *}$/ { if (in_it) print; in_it = 0 }
		on && /^ *location/ { in_it = 1 }
		in_it { print }' "$ZP_ROOT/man/zpinc-http.1"
}

# Does the relay keep what was said for those who come later?
keeps=yes
case $relay in
file)
	url=file:$dir/relay
	;;
redis)
	serve start_redis REDIS_PORT REDIS_PID
	url=redis://127.0.0.1:$port
	;;
mqtt)
	serve start_mosquitto MOSQUITTO_PORT MOSQUITTO_PID
	url=mqtt://127.0.0.1:$port
	keeps=no
	;;
nchan)
	NCHAN_LOCATION=$(nchan_conf)
	export NCHAN_LOCATION
	serve start_nginx_nchan NCHAN_PORT NCHAN_PID
	url=http://127.0.0.1:$port/ops
	;;
*)
	echo "demo: no such relay: $relay (file, redis, mqtt, nchan)" >&2
	exit 2
	;;
esac

# ---- members --------------------------------------------------------------

# Everybody types the passphrase; nobody is handed a file.
passphrase='correct horse battery staple'
new_key() { # NAME PASSPHRASE
	printf '%s\n' "$2" | zpinc-key new -c demo --work 16 \
		-o "$dir/$1.key" 2>/dev/null || wrong "no key for $1"
}

join() { # NAME
	[ -e "$dir/$1.key" ] || new_key "$1" "$passphrase"
	mkfifo "$dir/$1.in"
	zpinc-pipe -k "$dir/$1.key" -u "$1" "$url" \
		< "$dir/$1.in" > "$dir/$1.out" 2> "$dir/$1.err" \
		3>&- 4>&- 5>&- 6>&- 7>&- &
	eval "pid_$1=$!"
	pids="$pids $!"
	case $1 in # each keeps the writing end of its input
	alice) exec 3> "$dir/alice.in" ;;
	bob) exec 4> "$dir/bob.in" ;;
	carol) exec 5> "$dir/carol.in" ;;
	dave) exec 6> "$dir/dave.in" ;;
	mallory) exec 7> "$dir/mallory.in" ;;
	esac
}

type_line() { # NAME LINE
	printf '  %s types  %s\n' "$1" "$2"
	case $1 in
	alice) printf '%s\n' "$2" >&3 ;;
	bob) printf '%s\n' "$2" >&4 ;;
	carol) printf '%s\n' "$2" >&5 ;;
	dave) printf '%s\n' "$2" >&6 ;;
	mallory) printf '%s\n' "$2" >&7 ;;
	esac
}

# until_has FILE LINE: at most 30 seconds.
until_has() {
	i=0
	until grep -qxF -- "$2" "$1" 2>/dev/null; do
		i=$((i + 1))
		[ $i -lt 600 ] || wrong "'$2' did not come to ${1##*/}"
		sleep 0.05
	done
}

sees() { # NAME LINE
	until_has "$dir/$1.out" "$2"
	printf '  %s sees   %s\n' "$1" "$2"
}

# The conversation of exactly these (in any order) stands for NAME.
talks() { # NAME COUNT
	i=0
	until sed -n 's/^zpinc-pipe: conversation: //p' "$dir/$1.err" |
		tail -n 1 | sed 's/ and /, /' | awk -F', ' -v n="$2" \
		'NF == n { good = 1 } END { exit !good }'; do
		i=$((i + 1))
		[ $i -lt 600 ] || wrong "$1 is in no conversation of $2"
		sleep 0.05
	done
}

members() { # NAME: whom it talks with
	sed -n 's/^zpinc-pipe: conversation: //p' "$dir/$1.err" | tail -n 1
}

safety() {
	sed -n 's/^zpinc-pipe: safety number: //p' "$dir/$1.err" | tail -n 1
}

# Everything that the relay passes on, in a file.
tap() {
	"zpinc-$1" "$url" "$(zpinc-key topic -k "$dir/alice.key")" \
		"$(zpinc-key topic -k "$dir/alice.key" --live)" \
		< /dev/null > "$dir/tap" 2> "$dir/tap.err" &
	server="$server $!"
	i=0
	until grep -qs '^#live' "$dir/tap"; do
		i=$((i + 1))
		[ $i -lt 600 ] || wrong "the relay cannot be heard"
		sleep 0.05
	done
}

# ---- what happens ---------------------------------------------------------

echo "Relay: $url (it sees nothing but encrypted records)"

if [ $keeps = yes ]; then
	say "Alice is alone. What she writes waits on the relay, as a note."
else
	say "Alice is alone. What she writes is a note; but this relay keeps nothing
for those who come later."
fi
new_key alice "$passphrase"
tap "${url%%:*}"
join alice
type_line alice "Is anybody there?"
until_has "$dir/alice.err" "zpinc-pipe: nobody else is here: lines are notes, which whoever has the key can read, also later"

[ $keeps = yes ] && reads='He reads the note, and the two agree' ||
	reads='The two agree'
say "Bob joins by the same passphrase. $reads
on a key that no passphrase gives: a conversation."
join bob
[ $keeps = no ] || sees bob "[note] alice: Is anybody there?"
talks alice 2
talks bob 2
printf '  conversation of %s\n' "$(members bob)"
[ "$(safety alice)" = "$(safety bob)" ] || wrong "two safety numbers"
printf '  safety number %s, the same on both screens\n' "$(safety alice)"
type_line bob "Yes. This one nobody reads later."
sees alice "bob: Yes. This one nobody reads later."

[ $keeps = yes ] && see='the note, but nothing said since' ||
	see='nothing of what was said before'
say "Carol and Dave join. They see $see."
join carol
talks bob 3
join dave
talks alice 4
talks dave 4
[ $keeps = no ] || sees dave "[note] alice: Is anybody there?"
printf '  conversation of %s\n' "$(members dave)"
type_line dave "Hello, all three of you."
sees alice "dave: Hello, all three of you."
sees bob "dave: Hello, all three of you."
sees carol "dave: Hello, all three of you."

say "Bob leaves. The others make a new key, which he does not have."
exec 4>&-
# shellcheck disable=SC2154
wait "$pid_bob" || wrong "bob ended with status $?"
talks alice 3
talks carol 3
talks dave 3
type_line carol "Now that Bob is gone: a surprise party?"
sees alice "carol: Now that Bob is gone: a surprise party?"
sees dave "carol: Now that Bob is gone: a surprise party?"

say "Mallory has the relay, all of it, and a wrong passphrase."
new_key mallory "incorrect horse"
count=$(grep -c "^zp1" "$dir/tap")
[ "$count" -gt 10 ] || wrong "only $count records on the relay"
zpinc-open -k "$dir/mallory.key" < "$dir/tap" > "$dir/mallory.out" 2>/dev/null
[ -s "$dir/mallory.out" ] && wrong "mallory read something"
printf '  mallory reads nothing in %d records\n' "$count"
if grep -q -e party -e anybody "$dir/tap"; then
	wrong "plaintext on the relay"
fi

say "And who has all that, and the right passphrase, but was not there?"
zpinc-open -k "$dir/alice.key" -F '%u: %m' < "$dir/tap" 2>/dev/null |
	sort -u > "$dir/later.out"
[ "$(cat "$dir/later.out")" = "alice: Is anybody there?" ] ||
	wrong "the passphrase alone opens: $(cat "$dir/later.out")"
printf '  the note, and no message\n'

exec 3>&- 5>&- 6>&-
for name in alice carol dave; do
	eval "wait \$pid_$name" || wrong "$name ended with status $?"
done
pids=
[ $keeps = yes ] && once=1 || once=0
for f in bob carol dave; do
	[ "$(grep -c 'Is anybody' "$dir/$f.out")" = "$once" ] ||
		wrong "$f saw the note, but not $once times"
done
for f in carol dave; do
	grep -q 'nobody reads later' "$dir/$f.out" &&
		wrong "$f reads what was said before"
done
say "All as it should be."
