# bench.tsv as a table for a terminal; README here describes the columns.
BEGIN {
	FS = "\t"
}

function times(x) {
	return x == "" ? "" : x >= 100 ? sprintf("%.0f", x) : sprintf("%.2f", x)
}

# A figure with three digits or more, and thousands as such.
function figure(x, unit) {
	if (x == "")
		return ""
	return sprintf(x >= 100 ? "%.0f %s" : "%.3g %s", x, unit)
}

# Is the aim reached?  Of ratios, or of the figure where there is none.
function verdict(aim, x,    limit) {
	if (aim == "")
		return ""
	limit = aim
	gsub(/[^0-9.]/, "", limit)
	if (aim ~ /^</ ? x <= limit + 0 : x >= limit + 0)
		return aim
	missed++
	return aim " MISSED"
}

/^#/ {
	if (++comments > 2)
		print substr($0, 3)
	next
}

$1 == "skipped" {
	skipped[++skips] = "skipped: " $2 ": " $3
	next
}

# A measure that was used several times is shown once.
NF == 12 && !($3 == $1 && seen[$1, $2]++) {
	if ($2 != what)
		printf "\n%s\n", $2
	what = $2
	ratio = $4 == "" ? $10 : $4
	of = $3 == "" || $3 == $1 ? "" : $3
	range = of == "" ? "" : times($5) " to " times($6)
	printf "  %-34s %-28s %5s  %-16s %3d  %-13s %-15s %s\n", $1, of,
	    of == "" ? "" : times($4), range, $7, verdict($9, ratio),
	    figure($10, $11), $12 == "" ? "" : sprintf("%.1f MiB", $12)
}

END {
	print "\nEach line: what; what it is compared with; the median of " \
	    "their ratios, its\nquartiles, rounds; the aim; its own " \
	    "figure; its memory at most.  Ratios of\ntimes: less is better; of rates (.../s): more is."
	for (i = 1; i <= skips; i++)
		print skipped[i]
	if (missed > 0)
		print missed " missed"
}
