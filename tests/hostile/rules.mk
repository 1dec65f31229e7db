# Hostile relays, as far as they need patience.
CHECK_ALL += hostile-loss

hostile-loss: check-build
	$(Q)bats tests/hostile/loss.suite

.PHONY: hostile-loss
