#!/usr/bin/env bats
# mosquitto_pub and mosquitto_sub, as zpinc-seal(1) and zpinc-open(1) use
# them.

bats_require_minimum_version 1.5.0
load servers
load examples

setup_file() {
	# What a fast publisher sends is to be lost where the page says so.
	export MOSQUITTO_CONF='max_queued_messages 0'
	start_mosquitto "$BATS_FILE_TMPDIR/mosquitto"
}

teardown_file() {
	stop_server "$MOSQUITTO_PID"
}

setup() {
	compose_setup
}

teardown() {
	compose_teardown
}

# Has somebody subscribed to the topic?  What is sent comes back, then.
subscribed() {
	mosquitto_pub -h 127.0.0.1 -p "$MOSQUITTO_PORT" -t "$TOPIC" -m ping
	says "$1" "${2:-ping}"
}


@test "a whole body goes through a broker" {
	mosquitto_sub -h 127.0.0.1 -p "$MOSQUITTO_PORT" -q 1 -t "$TOPIC" \
		>r 3>&- &
	sub=$!
	wait_until subscribed r
	run_example zpinc-seal.1 mqtt
	wait_until says r '^zp1\.'
	kill "$sub"
	[ "$(zpinc-open -k ops -F '%u' <r)" = db1 ]
	zpinc-open -k ops --raw <r | grep -q '^Filesystem'
	# The record itself says what topic it is for.
	[ "$(grep zp1 r | cut -d. -f2)" = "$TOPIC" ]
}

@test "mosquitto_sub is read plain, with topics, and as JSON" {
	make_key .config/zpinc/dev.key dev
	begin_example zpinc-open.1 mqtt plain
	begin_example zpinc-open.1 mqtt-v topics
	begin_example zpinc-open.1 mqtt-json json
	send() {
		printf 'hello\nthere\n' | zpinc-seal -k ops -u alice |
			mosquitto_pub -h 127.0.0.1 -p "$MOSQUITTO_PORT" \
				-q 1 -l -t "$TOPIC"
		says plain there && says topics there && says json there
	}
	wait_until send
	grep -Eqx '20[0-9-]+T[0-9:]+Z alice: hello' plain
	grep -qx 'ops/alice: hello' topics
	grep -qx hello json
	seq 3 | zpinc-seal -k dev -u bob |
		mosquitto_pub -h 127.0.0.1 -p "$MOSQUITTO_PORT" -q 1 -l \
			-t "$(zpinc-key topic -k dev)"
	wait_until says topics 'dev/bob: 3'
	run -1 says plain bob
}

@test "a broker's session brings what came between two runs, once" {
	# The first run makes the session.
	run -0 run_example_status zpinc-open.1 mqtt-session
	for i in 1 2 3; do
		echo "$i" | zpinc-seal -k ops -u alice --state sent |
			mosquitto_pub -h 127.0.0.1 -p "$MOSQUITTO_PORT" \
				-q 1 -l -t "$TOPIC"
	done
	run -0 run_example_status zpinc-open.1 mqtt-session
	[ "$output" = $'1\n2\n3' ]
}

# mosquitto_sub -W ends with a status of its own, so no pipefail.
run_example_status() {
	timeout 10 bash -c "$(example "$@" | sed 's/-W 2/-W 1/')"
}

@test "lines that mosquitto_pub -l loses are told by their numbers" {
	mosquitto_sub -h 127.0.0.1 -p "$MOSQUITTO_PORT" -q 1 -t "$TOPIC" \
		>r 3>&- &
	sub=$!
	wait_until subscribed r
	post() {
		echo "$1" | zpinc-seal -k ops -u db1 --state big.sent |
			mosquitto_pub -h 127.0.0.1 -p "$MOSQUITTO_PORT" \
				-q 1 -l -t "$TOPIC"
	}
	post before
	seq 70000 >big.log
	# All at once: what comes as slowly as it is sealed may all go out.
	bash -c "$(example zpinc-seal.1 mqtt-state |
		sed 's/|$/>sealed;/; s/mosquitto_pub/& <sealed/')"
	post after
	after() { tail -n 1 r | zpinc-open -k ops 2>/dev/null | grep after; }
	wait_until after
	kill "$sub"
	quiet zpinc-open -k ops --state seen <r
	[ "$status" = 0 ]
	came=$(grep -c ^ <<<"$output")
	[ "$came" != 70002 ] || skip "this mosquitto_pub loses nothing"
	missing=$(sed -n 's/.*: \([0-9]*\) records* missing.*/\1/p' err |
		awk '{ n += $1 } END { print n }')
	echo "$came came, $missing told as missing"
	[ $((came + missing)) = 70002 ]
}

@test "new lines of a log go out as they are written" {
	# Where nothing tells tail of changes it looks once a second.
	in_background out bash -c "$(example zpinc-seal.1 tail |
		sed 's/-F/-s 0.1 -F/')"
	mosquitto_sub -h 127.0.0.1 -p "$MOSQUITTO_PORT" -q 1 -t "$TOPIC" \
		>r 3>&- &
	sub=$!
	wait_until subscribed r
	write() {
		echo "error $((n += 1))" >>log/nginx/error.log
		says r '^zp1\.'
	}
	wait_until write
	mv log/nginx/error.log log/nginx/error.log.1
	echo rotated >log/nginx/error.log
	opened() { zpinc-open -k ops <r 2>/dev/null | grep -q rotated; }
	wait_until opened
	kill "$sub"
	zpinc-open -k ops -F '%u %m' <r | grep -q '^web1 error 1'
}

@test "new lines of a unit's journal go out as they are written" {
	journalctl -q -n 1 --no-pager 2>/dev/null | grep -q . ||
		skip "no journal on this machine"
	mosquitto_sub -h 127.0.0.1 -p "$MOSQUITTO_PORT" -q 1 -t "$TOPIC" \
		>r 3>&- &
	sub=$!
	wait_until subscribed r
	in_background out bash -c "$(example zpinc-seal.1 journal |
		sed 's/-u nginx/-t zpinc-test/')"
	write() {
		echo from the journal | systemd-cat -t zpinc-test
		says r '^zp1\.'
	}
	wait_until write
	kill "$sub"
	zpinc-open -k ops <r | grep -q 'from the journal'
}

@test "cron's job posts, with cron's empty environment" {
	mosquitto_sub -h 127.0.0.1 -p "$MOSQUITTO_PORT" -q 1 -t "$TOPIC" \
		>r 3>&- &
	sub=$!
	wait_until subscribed r
	cron zpinc-seal.1 cron
	cron zpinc-seal.1 cron
	two() { [ "$(grep -c ^zp1 r)" = 2 ]; }
	wait_until two
	kill "$sub"
	[ "$(zpinc-open -k ops -F '%u %n' <r)" = $'db1 0\ndb1 1' ]
}

# service_command PAGE: what ExecStart runs, %% and $$ as systemd sees them.
service_command() {
	example "$1" service | sed -n "/^ExecStart=/,/'\$/p" |
		sed -e "s/^ExecStart=\/bin\/sh -c '//" -e "s/'\$//" \
			-e 's/\$\$/$/g' -e "s|%S|$HOME/state|g" \
			-e 's/%l/host1/g' -e 's/%%/%/g'
}

@test "the systemd services and the timer are ones" {
	command -v systemd-analyze >/dev/null || skip "no systemd here"
	mkdir units
	text zpinc-seal.1 service >units/zpinc-df.service
	text zpinc-seal.1 timer >units/zpinc-df.timer
	text zpinc-open.1 service >units/zpinc-ops.service
	run systemd-analyze verify --man=no units/zpinc-df.service \
		units/zpinc-df.timer units/zpinc-ops.service
	[ "$status" = 0 ]
	run -1 grep 'units/\|zpinc' <<<"$output"
}

@test "what the services run works with systemd's credentials alone" {
	mkdir -p cred state/zpinc-df state/zpinc-ops
	mv .config/zpinc/ops.key cred/
	service_command zpinc-open.1 >open.sh
	service_command zpinc-seal.1 >seal.sh
	in_background journal env -i PATH="$PATH" \
		CREDENTIALS_DIRECTORY="$HOME/cred" /bin/sh open.sh
	post() {
		env -i PATH="$PATH" CREDENTIALS_DIRECTORY="$HOME/cred" \
			timeout 5 /bin/sh seal.sh
		says journal Filesystem
	}
	wait_until post
	grep -q '^host1: Filesystem.*\\n' journal
}
