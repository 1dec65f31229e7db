# Zpinc for the shell.
#
#   make            build everything into build/$(MODE)/
#   make demo       install what is missing, build, show a conversation;
#                   RELAY=redis, mqtt or nchan: over that server
#   make check      install what the tests need, build, run all tests
#   make check-all  the long tests, too
#   make cov        which lines of the library the tests run
#   make fuzz       libFuzzer on every parser; T=seconds FUZZ='url sse'
#   make lint       read the sources for mistakes
#   make pictures   those of the README: a recording, a plot
#   make soak       half an hour of conversation, memory flat; SOAK=redis
#   make bench      ratios to what is possible; ONLY=startup for one
#   make install    PREFIX and DESTDIR as usual; also uninstall
#   make static     the keyed tools in need of nothing, build/$(MODE)/static/
#   make dist       the sources as a tarball, the same bytes every time
#   make deb        Debian packages, build/deb/
#   make clean      away with build/
#   make help       all targets and variables

VERSION := 1.0.0
MODE ?= release
B := build/$(MODE)

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d
INSTALL ?= install
PKG_CONFIG ?= pkg-config
CLANG ?= clang

# Tools to leave out, for machines without their library:
# make WITHOUT='zpinc-mqtt zpinc-mles'
WITHOUT ?=
KEYED := zpinc-key zpinc-seal zpinc-open zpinc-handshake zpinc-pipe
ALLTOOLS := $(sort $(patsubst cmd/%.c,%,$(wildcard cmd/*.c)))
TOOLS := $(filter-out $(WITHOUT),$(ALLTOOLS))

PKG_zpinc-http := libcurl
PKG_zpinc-mqtt := libmosquitto libssl libcrypto
PKG_zpinc-redis := hiredis libssl libcrypto
PKG_zpinc-mles := libwebsockets libcbor libcjson libssl libcrypto

# Files of lib/net with a library of their own: who needs them.
USERS_zp_tls := zpinc-redis zpinc-mqtt zpinc-mles
USERS_zp_stream := zpinc-redis
USERS_zp_resp := zpinc-redis
USERS_zp_mlesframe := zpinc-mles
USERS_zp_mleslink := zpinc-mles

# Debian's names of what building and testing need.
BUILD_DEBS := gcc libc6-dev make pkg-config libsodium-dev \
	libcurl4-openssl-dev libmosquitto-dev libhiredis-dev libssl-dev \
	libwebsockets-dev libcbor-dev libcjson-dev
# And what make demo RELAY=... needs besides: the server that it starts.
DEMO_DEBS_redis := bash procps redis-server
DEMO_DEBS_mqtt := bash procps mosquitto
DEMO_DEBS_nchan := bash procps nginx libnginx-mod-nchan
DEMO_DEBS := $(DEMO_DEBS_$(RELAY))
CHECK_DEBS := bats perl python3 python3-nacl python3-websockets mandoc curl \
	mosquitto mosquitto-clients redis-server redis-tools nginx \
	libnginx-mod-nchan rsync jq binutils openssl procps tmux util-linux

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
else
Q :=
say = @:
endif

# ---- flags -------------------------------------------------------------

CC_MODE := $(CC)
WARN := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes -Wcast-qual \
	-Wwrite-strings -Wvla -Wformat=2 -Wswitch-enum $(WERROR)
HARDEN := -fstack-protector-strong -fPIE
HARDEN_LD := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
OPT := -O2 -g
ifeq ($(MODE),release)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection
else ifeq ($(MODE),asan)
OPT := -O1 -g -fno-omit-frame-pointer -DZP_SANITIZED
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(MODE),tsan)
OPT := -O1 -g -fno-omit-frame-pointer -DZP_SANITIZED
SAN := -fsanitize=thread
else ifeq ($(MODE),cov)
OPT := -O0 -g -DZP_SANITIZED
SAN := --coverage -fprofile-update=atomic
else ifeq ($(MODE),fuzz)
CC_MODE := $(CLANG)
OPT := -O1 -g -fno-omit-frame-pointer -DZP_SANITIZED
SAN := -fsanitize=address,undefined,fuzzer-no-link \
	-fno-sanitize-recover=all -fprofile-instr-generate -fcoverage-mapping
else
$(error MODE is one of release asan tsan cov fuzz)
endif

OS := $(shell uname -s)
ifeq ($(OS),Linux)
FEATURES := -D_GNU_SOURCE
else
FEATURES :=
endif

# The user's CPPFLAGS, CFLAGS and LDFLAGS come last.
pkg = $(shell $(PKG_CONFIG) $(1) $(2) 2>/dev/null)
SODIUM_LIBS := $(or $(call pkg,--libs,libsodium),-lsodium)
# The keyed tools have libsodium as a shared library, as distributions want it
# and so that its updates reach them; SODIUM=static takes a tenth off the time
# that each needs to start.
SODIUM ?= shared
KEYED_SODIUM := $(if $(filter static,$(SODIUM)),$(firstword $(wildcard \
	$(call pkg,--variable=libdir,libsodium)/libsodium.a) \
	-l:libsodium.a),$(SODIUM_LIBS))
SODIUM_CFLAGS := $(call pkg,--cflags,libsodium)
ALL_CPPFLAGS = -Ilib $(FEATURES) -DZP_VERSION='"$(VERSION)"' \
	$(SODIUM_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=c17 $(OPT) $(WARN) $(HARDEN) $(SAN) -MMD -MP $(CFLAGS)
ALL_LDFLAGS = $(HARDEN_LD) $(SAN) -pthread $(LDFLAGS)

# ---- what is built -----------------------------------------------------

LAYERS := base wire crypt mles proto store proc
LIBSRC := $(foreach l,$(LAYERS),$(sort $(wildcard lib/$(l)/*.c))) \
	$(wildcard lib/*.c)
NETSRC := $(foreach f,$(sort $(wildcard lib/net/*.c)),\
	$(if $(and $(USERS_$(basename $(notdir $(f)))),\
	$(if $(filter $(USERS_$(basename $(notdir $(f)))),$(TOOLS)),,none)),,\
	$(f)))
LIBOBJ := $(LIBSRC:%.c=$(B)/%.o)
NETOBJ := $(NETSRC:%.c=$(B)/%.o)
LIBZPINC := $(B)/libzpinc.a
LIBNET := $(B)/libzpnet.a
BIN := $(TOOLS:%=$(B)/%)

UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,\
	$(sort $(wildcard tests/unit/test_*.c)))

all: $(BIN) $(LIBZPINC)

$(B)/%.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC_MODE) $(ALL_CPPFLAGS) $(CPPFLAGS_$(basename $(notdir $<))) \
		$(ALL_CFLAGS) -c -o $@ $<

$(LIBZPINC): $(LIBOBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(LIBNET): $(NETOBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# The headers of the transports' libraries are for the transports alone.
define tool_pkg
CPPFLAGS_$(1) := $(call pkg,--cflags,$(PKG_$(1)))
endef
$(foreach t,$(filter-out $(KEYED),$(TOOLS)),\
	$(if $(PKG_$(t)),$(eval $(call tool_pkg,$(t)))))
CPPFLAGS_zp_tls := $(call pkg,--cflags,libssl libcrypto)
CPPFLAGS_zp_stream := $(CPPFLAGS_zp_tls)
CPPFLAGS_zp_resp := $(call pkg,--cflags,hiredis)

# Another SODIUM links anew.
SODIUM_STAMP := $(B)/sodium.$(SODIUM)
$(SODIUM_STAMP):
	@mkdir -p $(@D) && rm -f $(B)/sodium.* && touch $@

$(filter $(KEYED:%=$(B)/%),$(BIN)): $(B)/%: $(B)/cmd/%.o $(LIBZPINC) \
		$(SODIUM_STAMP)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(LIBZPINC) $(ALL_LDFLAGS) $(KEYED_SODIUM) $(LIBS)

$(filter-out $(KEYED:%=$(B)/%),$(BIN)): $(B)/%: $(B)/cmd/%.o $(LIBNET) \
		$(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(LIBNET) $(LIBZPINC) $(ALL_LDFLAGS) \
		$(call pkg,--libs,$(PKG_$*)) $(LIBS)

$(UNIT): $(B)/tests/unit/%: $(B)/tests/unit/%.o $(LIBNET) $(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(LIBNET) $(LIBZPINC) $(ALL_LDFLAGS) \
		$(SODIUM_LIBS) $(LIBS_$*) $(LIBS)

# Simulator, fuzz targets and benchmarks bring their own rules.
-include $(sort $(wildcard tests/*/rules.mk)) packaging/rules.mk

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# ---- tests -------------------------------------------------------------

# Everything a test may need to know comes by the environment.
export ZP_BUILD := $(abspath $(B))
export ZP_ROOT := $(CURDIR)
export ZP_MODE := $(MODE)
# Tests wait more than they compute, with sanitizers less so; those that wait
# longest begin first.
JOBS ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + $(if $(SAN),3,5))))
LONG := $(wildcard $(addprefix tests/,cli/pipe.bats cli/pipe-lost.bats \
	transports/conform_mles.bats \
	mles/pipe.bats mles/mles.bats transports/redis.bats transports/http.bats \
	transports/mqtt.bats cli/terminal.bats soak/soak.bats \
	cli/handshake-insiders.bats transports/conform_nchan.bats))
TESTS ?= $(LONG) $(UNIT) $(CHECK_PROGRAMS) \
	$(filter-out $(LONG),$(sort $(wildcard tests/*/*.bats)))

check: deps-check
	$(Q)$(MAKE) --no-print-directory check-run

check-build: all $(UNIT) $(CHECK_PROGRAMS) $(CHECK_EXTRA)

check-run: check-build
	$(Q)prove --timer -j$(JOBS) $(PROVE_FLAGS) $(TESTS)

# What failed in the run before, which had PROVE_FLAGS=--state=save, alone.
check-again:
	$(Q)prove --timer --state=failed $(PROVE_FLAGS)

check-all: check $(CHECK_ALL)

# How many lines of the library the tests run, file by file.  Counts of
# earlier runs would be added to.
cov: deps-check
	$(Q)$(MAKE) --no-print-directory MODE=cov cov-run

cov-run: check-build
	$(Q)find $(B) -name '*.gcda' -delete
	$(Q)prove -j$(JOBS) $(PROVE_FLAGS) $(TESTS); status=$$?; \
		$(MAKE) --no-print-directory cov-report && exit $$status

cov-report:
	$(Q)for f in $(LIBSRC) $(NETSRC); do \
		gcov -n -o "$(B)/$${f%.c}.gcda" "$$f" 2>/dev/null | \
			grep -A1 "^File '$$f'" || echo "none: $$f"; done | \
		awk -F"[:% ]" '/^none/ { print "  never run  " $$3 } \
			/^File/ { name = $$0 } \
			/^Lines/ { printf "%6.2f %%  %s\n", $$3, name; \
				n += $$6; hit += $$3 * $$6 / 100 } \
			END { if (!n) exit 1; \
				printf "%6.2f %%  of %d lines\n", \
				100 * hit / n, n }'

demo: deps-build
	$(Q)$(MAKE) --no-print-directory demo-run

demo-run: all
	$(Q)sh tests/demo.sh $(RELAY)

# ---- packages of this machine ------------------------------------------

deps-build:
	$(Q)sh tests/deps.sh $(BUILD_DEBS) $(DEMO_DEBS)

deps-check:
	$(Q)sh tests/deps.sh $(BUILD_DEBS) $(DEMO_DEBS) $(CHECK_DEBS)

# ---- installing --------------------------------------------------------

MAN1 := $(sort $(filter $(TOOLS:%=man/%.1),$(wildcard man/*.1)))
MAN5 := $(sort $(wildcard man/*.5))
MAN7 := $(sort $(wildcard man/*.7))

# Files into a directory, if there are any.
put = $(if $(2),$(INSTALL) -m $(1) $(2) $(DESTDIR)$(3))

install: all
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(MANDIR)/man1 \
		$(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7
	$(call put,755,$(BIN),$(BINDIR))
	$(call put,644,$(MAN1),$(MANDIR)/man1)
	$(call put,644,$(MAN5),$(MANDIR)/man5)
	$(call put,644,$(MAN7),$(MANDIR)/man7)
	$(call put,644,$(wildcard lib/zpinc.h),$(INCLUDEDIR))
	$(call put,644,$(LIBZPINC),$(LIBDIR))
	$(INSTALL) -d $(DESTDIR)$(BASHCOMPDIR) $(DESTDIR)$(ZSHCOMPDIR) \
		$(DESTDIR)$(FISHCOMPDIR)
	$(call put,644,completions/_zpinc,$(ZSHCOMPDIR))
	@# These shells look for a file by the name of the command.
	$(foreach t,$(TOOLS),$(INSTALL) -m 644 completions/zpinc.bash \
		$(DESTDIR)$(BASHCOMPDIR)/$(t) && $(INSTALL) -m 644 \
		completions/zpinc.fish $(DESTDIR)$(FISHCOMPDIR)/$(t).fish &&) :
	$(if $(wildcard lib/zpinc.pc.in),sed -e 's|@PREFIX@|$(PREFIX)|' \
		-e 's|@VERSION@|$(VERSION)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		lib/zpinc.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/zpinc.pc && \
		chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/zpinc.pc)

uninstall:
	rm -f $(TOOLS:%=$(DESTDIR)$(BINDIR)/%) \
		$(MAN1:man/%=$(DESTDIR)$(MANDIR)/man1/%) \
		$(MAN5:man/%=$(DESTDIR)$(MANDIR)/man5/%) \
		$(MAN7:man/%=$(DESTDIR)$(MANDIR)/man7/%) \
		$(TOOLS:%=$(DESTDIR)$(BASHCOMPDIR)/%) \
		$(TOOLS:%=$(DESTDIR)$(FISHCOMPDIR)/%.fish) \
		$(DESTDIR)$(ZSHCOMPDIR)/_zpinc \
		$(DESTDIR)$(INCLUDEDIR)/zpinc.h \
		$(DESTDIR)$(LIBDIR)/libzpinc.a \
		$(DESTDIR)$(LIBDIR)/pkgconfig/zpinc.pc

clean:
	rm -rf build

help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' Makefile
	@echo 'modes: MODE=release|asan|tsan|cov|fuzz; V=1 shows commands'
	@echo 'SODIUM=static links libsodium.a into the keyed tools'
	@echo "WITHOUT='zpinc-mqtt ...' leaves tools out"

.PHONY: cov cov-run cov-report all check check-build check-run check-all demo demo-run deps-build \
	deps-check install uninstall clean help
.DELETE_ON_ERROR:
