# Benchmarks print ratios, for people to read; `make check` only builds them.

BENCH := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,\
	$(sort $(wildcard tests/bench/bench_*.c)))
CHECK_EXTRA += $(BENCH)

$(BENCH): $(B)/tests/bench/%: $(B)/tests/bench/%.o $(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(LIBZPINC) $(ALL_LDFLAGS) $(SODIUM_LIBS) $(LIBS)

bench: $(BENCH)
	$(Q)for b in $(BENCH); do echo "# $${b##*/}"; $$b || exit 1; done

.PHONY: bench
