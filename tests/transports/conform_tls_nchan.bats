#!/usr/bin/env bash
# Of the conformance suite what TLS may break: links that are lost, and much at
# once.  `make check-all` runs all of it.
ZP_TLS=1 ZP_DRIVER="nchan" exec bats --tap -f \
	'killed and restarted|half open|at rest|at the start|1 MiB' \
	"${0%/*}/conformance.suite"
