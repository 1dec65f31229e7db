#!/usr/bin/env bats
# The pictures of README, and what draws them.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PICTURES=$ZP_ROOT/tests/pictures
}

# The texts of a picture, one a line.
texts() {
	/usr/bin/python3 -c 'import sys, xml.dom.minidom as dom
for t in dom.parse(sys.argv[1]).getElementsByTagName("text"):
    print(t.firstChild.data)' "$1"
}

@test "README's pictures are in the tree, and well formed" {
	local picture
	grep -o '](man/pictures/[^)]*)' "$ZP_ROOT/README.md" | tr -d ']()' >named
	[ "$(wc -l <named)" -ge 2 ]
	while read -r picture; do
		texts "$ZP_ROOT/$picture" >texts
		[ -s texts ]
	done <named
}

@test "the recording in README is of the demo as it is" {
	texts "$ZP_ROOT/man/pictures/demo.svg" >texts
	grep -qx '\$ make demo' texts
	grep -qx '  alice sees   bob: Yes. This one nobody reads later.' texts
	grep -qx 'All as it should be.' texts
	# Whatever it says, the demo of this tree still says.
	sed -n 's/^  [a-z]* types  //p' texts >said
	[ "$(wc -l <said)" -ge 4 ]
	while read -r line; do
		grep -qF "$line" "$ZP_ROOT/tests/demo.sh"
	done <said
}

@test "a recording has each line, when it came, and no more than a short wait" {
	"$PICTURES/record.py" r.svg title sh -c \
		'echo "one <&> \"two\""; sleep 0.3; printf "\033[1mthree\033[m\n"
		tty >/dev/null && echo a terminal; printf "no newline"'
	[ "$(texts r.svg | tail -n +3)" = \
		$'one <&> "two"\nthree\na terminal\nno newline' ]
	grep -o 'delay:[0-9.]*' r.svg | cut -d: -f2 >delays
	sort -n -c delays
	[ "$(tail -n 1 delays | cut -d. -f1)" -lt 6 ]
	[ "$(head -n 1 delays)" = 0.00 ]
}

@test "a command that fails is not recorded" {
	echo old >r.svg
	run -3 "$PICTURES/record.py" r.svg title sh -c 'echo oops; exit 3'
	[[ $output == *oops* ]]
	[ "$(cat r.svg)" = old ]
}

row() {
	local IFS=$'\t'
	echo "$*"
}

@test "figures are costs: a rate is turned round, and the measure itself left out" {
	{
		echo '# made by make bench; the columns:'
		echo '# 2026-01-02 03:04 UTC, Linux x86_64, 2 processors'
		row limit 'a line a record' limit 1 1 1 7 rate '' 900 lines/s 2
		row zpinc-seal 'a line a record' limit .5 .4 .8 7 rate '>= 0.85' \
			450 lines/s 2
		row zpinc-open 'one message' age .25 .2 .3 9 time '<= 1.3' 2 ms 2
		row latency 'one message' '' '' '' '' 9 time '' 2 ms ''
		printf 'skipped\tgpg\tnot installed\n'
	} >bench.tsv
	printf 'before\n<!-- figures -->\nold\n<!-- /figures -->\nafter\n' >R.md
	"$PICTURES/figures.py" bench.tsv plot.svg R.md
	[ "$(cat R.md)" = 'before
<!-- figures -->
| work | measured | compared with | times as long (half of the rounds) |
|---|---|---|---|
| a line a record | `zpinc-seal` | `limit` | 2.00 (1.25 to 2.50) |
| one message | `zpinc-open` | `age` | 0.25 (0.20 to 0.30) |

| figures without a counterpart | | median |
|---|---|---|
| one message | latency | 2.00 ms |

Measured 2026-01-02 03:04 UTC, Linux x86_64, 2 processors.
Not measured there: gpg.
<!-- /figures -->
after' ]
	texts plot.svg >texts
	grep -qx 'zpinc-seal, compared with limit' texts
	grep -qx '2.00' texts
	[ "$(grep -c '<circle' plot.svg)" = 2 ]
	# Again, and nothing changes.
	cp R.md once
	"$PICTURES/figures.py" bench.tsv plot.svg R.md
	cmp R.md once
}

@test "figures without a place or without rows change nothing" {
	row limit work limit 1 1 1 7 rate '' 900 lines/s 2 >bench.tsv
	printf '<!-- figures -->\n<!-- /figures -->\n' >R.md
	run -1 "$PICTURES/figures.py" bench.tsv plot.svg R.md
	[[ $output == *'no ratios'* ]]
	row a work b 1 1 1 7 rate '' 900 lines/s 2 >bench.tsv
	echo text >R.md
	run -1 "$PICTURES/figures.py" bench.tsv plot.svg R.md
	[[ $output == *'no place'* ]]
	[ "$(cat R.md)" = text ]
	[ ! -e plot.svg ]
}
