# Hostile relays, as far as they need patience.
CHECK_ALL += hostile-fork

hostile-fork: check-build
	$(Q)bats tests/hostile/fork.suite

.PHONY: hostile-fork
