# Benchmarks print ratios, for people to read; `make check` only builds them.

BENCH := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,\
	$(sort $(wildcard tests/bench/bench_*.c)))
BENCH_SH := $(sort $(wildcard tests/bench/bench_*.sh))
# What they use: the limits they compare with, and who runs and compares.
BENCH_WITH := $(B)/tests/bench/limit $(B)/tests/bench/harness
CHECK_EXTRA += $(BENCH) $(BENCH_WITH)

$(BENCH) $(BENCH_WITH): $(B)/tests/bench/%: $(B)/tests/bench/%.o $(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(LIBZPINC) $(ALL_LDFLAGS) $(SODIUM_LIBS) $(LIBS)

# What zpinc-http is compared with.
ifneq ($(filter zpinc-http,$(TOOLS)),)
BENCH_CURL := $(B)/tests/bench/easy_handle
CHECK_EXTRA += $(BENCH_CURL)
$(BENCH_CURL): $(B)/tests/bench/easy_handle.o
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(ALL_LDFLAGS) $(call pkg,--libs,libcurl) $(LIBS)
endif

# make bench ONLY='startup' runs some.
ONLY ?= %
bench: all $(BENCH) $(BENCH_WITH) $(BENCH_CURL)
	$(Q)for b in $(filter $(ONLY:%=$(B)/tests/bench/bench_%),$(BENCH)) \
		$(filter $(ONLY:%=tests/bench/bench_%.sh),$(BENCH_SH)); do \
		echo "# $${b##*/}"; $$b || exit 1; done

.PHONY: bench
