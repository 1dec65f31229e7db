# shellcheck shell=bash
# Real servers for tests, from Debian's packages: on free ports of the
# loopback, with their data in a folder of the test's, as root or not.
#
#	start_mosquitto DIR [PORT]	MOSQUITTO_PORT, MOSQUITTO_PID
#	start_redis DIR [PORT]		REDIS_PORT, REDIS_PID
#	start_nginx_nchan DIR [PORT]	NCHAN_PORT, NCHAN_PID
#	await_port PORT [PID]		until somebody listens there
#	stop_server PID [SIGNAL]	and waits until it has gone
#
# A start returns when the server answers.  With PORT it is that one (to
# start a server again where it was); DIR is made if it is missing, and what
# a server keeps in it is there again.  Lines in MOSQUITTO_CONF, words in
# REDIS_ARGS and lines in NCHAN_CONF (in the server) are added to the
# configuration.  Redis keeps everything (appendonly), mosquitto sessions
# and retained messages when it ends by TERM, Nchan nothing.

PATH=$PATH:/usr/sbin:/sbin

# A port that nobody listens on now.  Somebody may yet take it: try again.
free_port() {
	local port
	while :; do
		port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		(exec 9<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port"
}

await_port() {
	local i
	for ((i = 0; i < 500; i++)); do
		if (exec 9<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
			return 0
		fi
		[ -z "${2:-}" ] || kill -0 "$2" 2>/dev/null || return 1
		sleep 0.02
	done
	echo "nobody listens on port $1" >&2
	return 1
}

# stop_server PID [SIGNAL]: no more than five seconds of grace.
stop_server() {
	local i
	kill -"${2:-TERM}" "$1" 2>/dev/null || return 0
	for ((i = 0; i < 250; i++)); do
		case $(ps -o stat= -p "$1") in
		'' | Z*) break ;;
		esac
		sleep 0.02
	done
	[ "$i" -lt 250 ] || kill -KILL "$1"
	wait "$1" 2>/dev/null || :
}

# A server must not hold what the test has open: another's stdin, say.
close_others() {
	local fd
	for fd in "/proc/$BASHPID/fd"/*; do
		fd=${fd##*/}
		[ "$fd" -le 2 ] || eval "exec $fd>&-"
	done
}

# start_server NAME DIR PORT: run_NAME DIR PORT execs it.  Sets server_port
# and server_pid.
start_server() {
	local try
	mkdir -p "$2"
	for try in 1 2 3 4 5; do
		server_port=${3:-$(free_port)}
		# bats waits for everything that has its descriptor 3.
		(close_others; "run_$1" "$2" "$server_port") </dev/null \
			>>"$2/$1.log" 2>&1 3>&- &
		server_pid=$!
		# Somebody else may have answered: ours must be alive, too.
		if await_port "$server_port" "$server_pid" &&
			kill -0 "$server_pid" 2>/dev/null; then
			return 0
		fi
		stop_server "$server_pid" KILL
	done
	echo "$1 did not start after $try tries:" >&2
	tail "$2/$1.log" >&2
	return 1
}

run_mosquitto() {
	# Who is root would become user `mosquitto`, who cannot write to DIR.
	cat >"$1/mosquitto.conf" <<-END
		listener $2 127.0.0.1
		allow_anonymous true
		user $(id -un)
		persistence true
		persistence_location $1/
		${MOSQUITTO_CONF:-}
	END
	exec mosquitto -c "$1/mosquitto.conf"
}

start_mosquitto() {
	start_server mosquitto "$@" || return 1
	MOSQUITTO_PORT=$server_port MOSQUITTO_PID=$server_pid
	export MOSQUITTO_PORT MOSQUITTO_PID
}

run_redis() {
	cd "$1" || exit 1
	# shellcheck disable=SC2086
	exec redis-server --port "$2" --bind 127.0.0.1 --save '' \
		--appendonly yes --appendfsync no --dir "$1" ${REDIS_ARGS:-}
}

start_redis() {
	start_server redis "$@" || return 1
	REDIS_PORT=$server_port REDIS_PID=$server_pid
	export REDIS_PORT REDIS_PID
}

# The location of zpinc-seal(1)'s example, unless the caller has its own.
nchan_location() {
	printf '%s\n' "${NCHAN_LOCATION:-$(
		awk '/^\.\\" example / { on = $3 == "nchan-conf" }
			on && /^\.Ed/ { exit }
			on && !/^\./ { print }' "$ZP_ROOT/man/zpinc-seal.1"
	)}"
}

run_nginx_nchan() {
	local module=/usr/lib/nginx/modules/ngx_nchan_module.so t
	mkdir -p "$1/tmp"
	cat >"$1/nginx.conf" <<-END
		load_module $module;
		daemon off;
		master_process off;
		pid $1/nginx.pid;
		error_log $1/error.log;
		events { worker_connections 512; }
		http {
			access_log off;
			$(for t in client_body proxy fastcgi uwsgi scgi; do
				echo "${t}_temp_path $1/tmp/$t;"
			done)
			server {
				listen 127.0.0.1:$2;
				${NCHAN_CONF:-}
				$(nchan_location)
			}
		}
	END
	exec nginx -e "$1/error.log" -p "$1" -c "$1/nginx.conf"
}

start_nginx_nchan() {
	start_server nginx_nchan "$@" || return 1
	NCHAN_PORT=$server_port NCHAN_PID=$server_pid
	export NCHAN_PORT NCHAN_PID
}
