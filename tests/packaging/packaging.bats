#!/usr/bin/env bats
# What goes to other machines: static tools, the sources, Debian packages,
# units of systemd and lines for cron.

bats_require_minimum_version 1.5.0

load ../cli/common

setup() {
	common_setup
	# We run below make, which would pass its own options on.
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
	MODE=${ZP_MODE:-release}
	PIDS=()
}

teardown() {
	local pid
	for pid in "${PIDS[@]}"; do
		pkill -P "$pid" || :
		kill "$pid" 2>/dev/null || :
	done
	wait
}

@test "static tools need no library, and do what the others do" {
	[ "$MODE" = release ] || skip "sanitizers are not linked statically"
	local static=$ZP_BUILD/static t
	make -s -C "$ZP_ROOT" static MODE="$MODE"
	for t in key seal open handshake pipe; do
		run readelf -dW "$static/zpinc-$t"
		[[ $output == *PIE* ]]
		[[ $output != *NEEDED* ]]
	done
	"$static/zpinc-key" new --random -c ops -o ops.key 2>/dev/null
	echo one | "$static/zpinc-seal" -k ./ops.key -u alice >r
	[ "$(zpinc-open -k ./ops.key -F '%u %m' <r)" = 'alice one' ]
	echo two | zpinc-seal -k ./ops.key -u alice >r
	[ "$("$static/zpinc-open" -k ./ops.key -F '%u %m' <r)" = 'alice two' ]
	# Confined as the others, and beside a transport as they are.
	"$static/zpinc-handshake" -k ./ops.key -u bob -t 20 -o bob.conv \
		"file:$PWD/f" 2>bob.err 3>&- &
	PIDS+=($!)
	"$static/zpinc-handshake" -k ./ops.key -u alice -t 20 \
		-o alice.conv "file:$PWD/f" 2>alice.err
	wait "${PIDS[0]}"
	echo three | "$static/zpinc-seal" -k ./alice.conv -u alice >r
	[ "$(zpinc-open -k ./bob.conv -F '%k %m' <r)" = 'message three' ]
}

@test "two tarballs of one commit are the same bytes, of all its files" {
	cd "$ZP_ROOT"
	git rev-parse -q --verify HEAD >/dev/null 2>&1 || skip "no repository"
	local d=$BATS_TEST_TMPDIR version
	version=$(sed -n 's/^VERSION := //p' Makefile)
	make -s dist DIST="$d/a/zpinc.tar.gz"
	(umask 077 && TZ=Asia/Tokyo LC_ALL=C make -s dist \
		DIST="$d/b/zpinc.tar.gz")
	cmp "$d/a/zpinc.tar.gz" "$d/b/zpinc.tar.gz"
	cd "$d"
	tar -xzf a/zpinc.tar.gz
	[ "$(tar -tzf a/zpinc.tar.gz | cut -d/ -f1 | sort -u)" = \
		"zpinc-$version" ]
	[ -z "$(tar --numeric-owner -tvzf a/zpinc.tar.gz | grep -v ' 0/0 ')" ]
	# All files of the commit, and nothing that was made of them.
	diff <(git -C "$ZP_ROOT" ls-tree -r --name-only HEAD) \
		<(cd "zpinc-$version" && find . -type f | sed 's|^\./||' |
			LC_ALL=C sort)
	run -0 make -C "zpinc-$version" -n all
	[[ $output == *'-DZP_VERSION='*"$version"*' -c -o '* ]]
}

@test "Debian packages have the right files, and need what they are linked with" {
	[ "$MODE" = release ] || skip "not for packages"
	command -v dpkg-shlibdeps >/dev/null || skip "no dpkg-dev here"
	local d=$BATS_TEST_TMPDIR/deb p t page package
	cd "$ZP_ROOT"
	DPKG_DEB_COMPRESSOR_LEVEL=0 make -s deb-run DEB="$d"
	mkdir -p "$BATS_TEST_TMPDIR/root"
	for p in zpinc zpinc-transports libzpinc-dev; do
		dpkg-deb -c "$d/$p"_*.deb >"$BATS_TEST_TMPDIR/$p.list"
		dpkg-deb -x "$d/$p"_*.deb "$BATS_TEST_TMPDIR/root"
		run -1 grep -v ' root/root ' "$BATS_TEST_TMPDIR/$p.list"
		grep -q "/usr/share/doc/$p/copyright$" "$BATS_TEST_TMPDIR/$p.list"
		[ "$(gzip -dc "$BATS_TEST_TMPDIR/root/usr/share/doc/$p/changelog.gz" |
			dpkg-parsechangelog -S Version -l -)" = \
			"$(dpkg-deb -f "$d/$p"_*.deb Version)" ]
	done
	cd "$BATS_TEST_TMPDIR"
	for t in "$ZP_BUILD"/zpinc-*; do
		t=${t##*/}
		package=zpinc-transports
		case $t in
		*.*) continue ;;
		*-key | *-seal | *-open | *-handshake | *-pipe | *-file)
			package=zpinc
			;;
		esac
		grep -q "^-rwxr-xr-x .*/usr/bin/$t$" $package.list
		grep -q "/bash-completion/completions/$t$" $package.list
		[ ! -e "$ZP_ROOT/man/$t.1" ] ||
			grep -q "/man1/$t.1.gz$" $package.list
		[[ $(root/usr/bin/$t --version) == "$("$ZP_BUILD/$t" --version)" ]]
	done
	for page in "$ZP_ROOT"/man/*.[57]; do
		grep -q "/man${page##*.}/${page##*/}.gz$" zpinc.list
	done
	grep -q '/usr/lib/systemd/user/zpinc-post@.timer$' zpinc.list
	grep -q '/usr/include/zpinc.h$' libzpinc-dev.list
	grep -q '/libzpinc.a$' libzpinc-dev.list
	grep -q '/pkgconfig/zpinc.pc$' libzpinc-dev.list
	run -1 grep -v ' \./usr/\| \./$' zpinc.list
	[[ $(dpkg-deb -f "$d"/zpinc_*.deb Depends) == *libc6*libsodium23* ]]
	run -0 dpkg-deb -f "$d"/zpinc-transports_*.deb Depends
	[[ $output == *libcurl* && $output == *libmosquitto1* ]]
	[[ $output == *libhiredis* && $output == *libwebsockets* ]]
	[[ $output != *libsodium* ]]
	[ "$(dpkg-deb -f "$d"/libzpinc-dev_*.deb Depends)" = libsodium-dev ]
	(cd root && dpkg-deb -I "$d"/zpinc_*.deb md5sums | md5sum -c --quiet)
}

@test "the user units are ones" {
	command -v systemd-analyze >/dev/null || skip "no systemd here"
	mkdir units
	cp "$ZP_ROOT"/packaging/systemd/*.service \
		"$ZP_ROOT"/packaging/systemd/*.timer units/
	run systemd-analyze verify --user --man=no units/zpinc-post@ops.service \
		units/zpinc-post@ops.timer units/zpinc-follow@ops.service
	[ "$status" = 0 ]
	run -1 grep 'units/\|zpinc' <<<"$output"
}

# service UNIT: what its ExecStart runs, for the instance `ops`, with nothing
# but what systemd would set.
service() {
	local unit=$ZP_ROOT/packaging/systemd/$1 name=$2
	sed -e ':a' -e '/\\$/{N;s/\\\n/ /;ta' -e '}' "$unit" |
		sed -n "s/^ExecStart=\/bin\/sh -c '\(.*\)'$/\1/p" |
		sed -e 's/\$\$/$/g' -e 's/%%/\n/g' -e 's/%i/ops/g' \
			-e 's/\n/%/g' >"$name.sh"
	[ -s "$name.sh" ]
	env -i PATH="$PATH" HOME="$HOME" ZPINC_TRANSPORT="${TRANSPORT:-zpinc-file}" \
		ZPINC_POST='echo from the timer; df -h' \
		ZPINC_URL="${URL:-file:$HOME/relay}" CREDENTIALS_DIRECTORY="$HOME/cred" \
		STATE_DIRECTORY="$HOME/units" /bin/sh "$name.sh" </dev/null
}

@test "what one unit posts the other follows, by systemd's credentials alone" {
	mkdir cred units
	make_key cred/ops.key
	service zpinc-follow@.service follow >follow.out 2>follow.err 3>&- &
	PIDS+=($!)
	service zpinc-post@.service post
	await grep -q ': from the timer' follow.out
	service zpinc-post@.service post
	twice() { [ "$(grep -c 'from the timer' follow.out)" = 2 ]; }
	await twice
	[ "$(zpinc-open -k ./cred/ops.key -F %n <relay/*/*.zp |
		paste -sd ' ')" = '0 1' ]
}

@test "the unit that posts fails if the key is refused, or the relay" {
	mkdir cred units
	make_key cred/ops.key
	chmod 644 cred/ops.key
	run -3 service zpinc-post@.service post
	[ ! -e relay ]
	chmod 600 cred/ops.key
	: > relay
	TRANSPORT='zpinc-file -t 0.1' run -5 service zpinc-post@.service post
	rm relay
	run -0 service zpinc-post@.service post
	[ -d relay ]
}

@test "the unit that follows takes a password, and fails with either program" {
	mkdir cred units
	make_key cred/ops.key
	# There is no server; but the URL was taken.
	URL=mqtt://alice:secret@127.0.0.1:1 \
		TRANSPORT='zpinc-mqtt -1 -t 0.3' run -5 service \
		zpinc-follow@.service follow
	[[ $output == *"mqtt://127.0.0.1:1"* && $output != *secret* ]]
	URL=nonsense run -2 service zpinc-follow@.service follow
	[[ $output == *"URL is malformed"* ]]
	TRANSPORT='zpinc-file -1' run -0 service zpinc-follow@.service follow
	echo junk >units/ops.seen
	TRANSPORT='zpinc-file -1' run -3 service zpinc-follow@.service follow
	chmod 644 cred/ops.key
	run -3 service zpinc-follow@.service follow
}

@test "cron's line posts, with cron's empty environment" {
	mkdir -p .config/zpinc
	make_key .config/zpinc/ops.key
	sed -n "s|^0 [0-9* ]*\* \(.*\)|\1|p" "$ZP_ROOT/packaging/cron/crontab" |
		sed "s|/srv/ops|$HOME/relay|" >line
	[ -s line ]
	env -i HOME="$HOME" LOGNAME=cron PATH="$PATH" /bin/sh line </dev/null
	env -i HOME="$HOME" LOGNAME=cron PATH="$PATH" /bin/sh line </dev/null
	unset XDG_CONFIG_HOME
	[ "$(cat relay/*/*.zp | zpinc-open -k ops -F '%n' |
		paste -sd ' ')" = '0 1' ]
}
