# Hostile relays, as far as they need patience.
CHECK_ALL += hostile-patience

hostile-patience: check-build
	$(Q)bats tests/hostile/patience.suite

.PHONY: hostile-patience
