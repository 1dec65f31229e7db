#!/usr/bin/env bash
# Of the conformance suite what is ntfy's own, over zpinc-http and what speaks
# as ntfy does.  `make check-all` runs all of it.
ZP_DRIVER="ntfy" exec bats --tap -f \
	'in order|history|cursor|killed and restarted|half open|only records' \
	"${0%/*}/conformance.suite"
