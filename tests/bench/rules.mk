# Benchmarks print ratios, for people to read (README in this folder); `make
# check` only builds them.

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
BENCH_TSV := $(B)/bench.tsv
bench: all $(BENCH) $(BENCH_WITH) $(BENCH_CURL)
	$(Q)sh tests/bench/bench.sh $(BENCH_TSV) $(B)/bench.log \
		$(filter $(ONLY:%=$(B)/tests/bench/bench_%),$(BENCH)) \
		$(filter $(ONLY:%=tests/bench/bench_%.sh),$(BENCH_SH))

# What the last one measured.
bench-table:
	$(Q)awk -f tests/bench/table.awk $(BENCH_TSV)

.PHONY: bench bench-table
