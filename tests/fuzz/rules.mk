# Fuzz targets: every tests/fuzz/fuzz_NAME.c, with its corpus of small inputs
# in corpus/NAME.  `make check` replays them.
#
#	make fuzz T=60 FUZZ='url sse'	libFuzzer (clang), T seconds of each
#	make fuzz-min FUZZ=url		takes over what it found, minimised
#	make fuzz-cov			coverage of the corpora, by llvm-cov
#	make fuzz-seeds			inputs from the vectors, into build/seeds

FUZZ_DEBS := clang llvm libclang-rt-14-dev
FUZZ_ALL := $(patsubst tests/fuzz/fuzz_%.c,%,\
	$(sort $(wildcard tests/fuzz/fuzz_*.c)))
# Of what is built without a library that is missing.
FUZZ_ALL := $(filter-out \
	$(if $(filter zpinc-redis,$(TOOLS)),,resp) \
	$(if $(filter zpinc-mles,$(TOOLS)),,mlesframe),$(FUZZ_ALL))
LIBS_fuzz_resp := $(call pkg,--libs,$(PKG_zpinc-redis))
LIBS_fuzz_mlesframe := $(call pkg,--libs,libcbor libcjson)
FUZZ ?= $(FUZZ_ALL)
FUZZ_BIN := $(FUZZ_ALL:%=$(B)/tests/fuzz/fuzz_%)
FUZZ_WITH := $(B)/tests/fuzz/world.o $(B)/tests/sim/sim_group.o
T ?= 60

ifeq ($(MODE),fuzz)
FUZZ_MAIN :=
FUZZ_LD := -fsanitize=fuzzer
else
FUZZ_MAIN := $(B)/tests/fuzz/replay.o
FUZZ_LD :=
CHECK_PROGRAMS += $(FUZZ_BIN)
endif

$(FUZZ_BIN): $(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(FUZZ_WITH) \
		$(FUZZ_MAIN) $(LIBNET) $(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(FUZZ_WITH) $(FUZZ_MAIN) $(LIBNET) \
		$(LIBZPINC) $(ALL_LDFLAGS) $(FUZZ_LD) $(SODIUM_LIBS) \
		$(LIBS_$*) $(LIBS)

deps-fuzz:
	$(Q)sh tests/deps.sh $(BUILD_DEBS) $(FUZZ_DEBS)

fuzz fuzz-min fuzz-cov: deps-fuzz
	$(Q)$(MAKE) --no-print-directory MODE=fuzz $@-run

fuzz-run: $(FUZZ:%=$(B)/tests/fuzz/fuzz_%) fuzz-seeds
	$(Q)T=$(T) sh tests/fuzz/fuzz.sh run $(FUZZ)

fuzz-min-run: $(FUZZ:%=$(B)/tests/fuzz/fuzz_%) fuzz-seeds
	$(Q)sh tests/fuzz/fuzz.sh min $(FUZZ)

fuzz-cov-run: $(FUZZ:%=$(B)/tests/fuzz/fuzz_%)
	$(Q)sh tests/fuzz/fuzz.sh cov $(FUZZ)

fuzz-seeds:
	$(Q)/usr/bin/python3 tests/fuzz/seeds.py build/seeds $(FUZZ)

.PHONY: deps-fuzz fuzz fuzz-min fuzz-cov fuzz-run fuzz-min-run fuzz-cov-run \
	fuzz-seeds
