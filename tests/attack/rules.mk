# Hostile input, and machines that fail.
CHECK_PROGRAMS += tests/attack/hostile.py
CHECK_EXTRA += $(B)/tests/attack/clock.so
CHECK_ALL += hostile-long

# A clock before 1970, by LD_PRELOAD.
$(B)/tests/attack/clock.so: tests/attack/clock.c Makefile
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC_MODE) -std=c17 -D_GNU_SOURCE -O2 -fPIC $(WARN) -shared \
		-o $@ $<

hostile-long: check-build
	$(Q)for seed in 2 3 4 5; do \
		SEED=$$seed COUNT=10000 tests/attack/hostile.py || exit 1; \
	done

.PHONY: hostile-long
