# make lint: everything that reads sources for mistakes; no warnings is the
# target.  What a file was found free of is remembered under build/lint.

LINT_DEBS := gcc clang clang-format clang-tidy cppcheck shellcheck mandoc libsodium-dev
LINT := build/lint

LINT_LIB := $(wildcard lib/*.c lib/*/*.c cmd/*.c)
LINT_TEST := $(wildcard tests/*/*.c)
LINT_H := $(wildcard lib/*.h lib/*/*.h tests/*/*.h)
LINT_SH := $(wildcard tests/*.sh tests/*/*.sh tests/*/*.bats tests/*/*.bash) \
	$(wildcard .ci/run)
LINT_MAN := $(wildcard man/*.[157])

LINT_CFLAGS = -std=c17 -Ilib -Itests/unit $(FEATURES) \
	-DZP_VERSION='"$(VERSION)"' $(SODIUM_CFLAGS)

# In tests the analyser is told too little (macros that assert) and some
# habits are the point (a .c included, text that runs backwards, system()).
LINT_TEST_CHECKS := --checks=-clang-analyzer-*,-cert-env33-c,-cert-err34-c,$\
	-bugprone-suspicious-include,-misc-misleading-bidirectional,$\
	-cert-msc*,-bugprone-suspicious-memory-comparison,-cert-exp42-c,$\
	-cert-flp37-c

lint: deps-lint
	$(Q)$(MAKE) --no-print-directory lint-run

deps-lint:
	$(Q)sh tests/deps.sh $(LINT_DEBS)

lint-run: lint-format lint-clang lint-tidy lint-analyzer lint-cppcheck \
	lint-shell lint-man

lint-format:
	$(call say,FORMAT,'cmd lib tests')
	$(Q)clang-format --dry-run -Werror $(LINT_LIB) $(LINT_TEST) $(LINT_H)

# What gcc builds clang builds, too, without a warning.
lint-clang: $(LINT_LIB:%.c=$(LINT)/%.clang) $(LINT_TEST:%.c=$(LINT)/%.clang)

$(LINT)/%.clang: %.c $(LINT_H) tests/lint/rules.mk
	$(call say,CLANG,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(LINT_CFLAGS) $(CPPFLAGS_$(basename $(notdir $<))) \
		$(WARN) -pedantic -Werror -fsyntax-only $<
	@touch $@

lint-tidy: $(LINT_LIB:%.c=$(LINT)/%.tidy) $(LINT_TEST:%.c=$(LINT)/%.tidy)
# Leaks are looked for by running: gcc 12 loses what goes into an array.  And
# it does not know which options a tool insists on.
lint-analyzer: $(LINT_LIB:%.c=$(LINT)/%.analyzer)

$(LINT)/%.tidy: %.c $(LINT_H) tests/lint/clang-tidy.yml tests/lint/rules.mk
	$(call say,TIDY,$<)
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet --config-file=tests/lint/clang-tidy.yml \
		$(if $(filter tests/%,$<),'$(LINT_TEST_CHECKS)') $< -- \
		$(LINT_CFLAGS) $(CPPFLAGS_$(basename $(notdir $<))) \
		>$@.out 2>&1 || \
		{ grep -A2 error: $@.out; echo "all of it: $@.out"; exit 1; }
	@touch $@

$(LINT)/%.analyzer: %.c $(LINT_H) tests/lint/rules.mk
	$(call say,ANALYZE,$<)
	@mkdir -p $(@D)
	$(Q)gcc $(LINT_CFLAGS) $(CPPFLAGS_$(basename $(notdir $<))) -O1 \
		-fanalyzer -Wno-analyzer-malloc-leak \
		-Wno-analyzer-null-argument -fdiagnostics-path-format=none \
		-Werror -c -o /dev/null $<
	@touch $@

# uninitvar: the compilers and analysers know better.
lint-cppcheck:
	$(call say,CPPCHK,'cmd lib tests')
	$(Q)cppcheck -q --std=c11 --enable=warning,performance,portability \
		--inline-suppr --error-exitcode=1 -Ilib -Itests/unit \
		-D__linux__ -D_GNU_SOURCE --suppress=missingIncludeSystem \
		--suppress=uninitvar --suppress=legacyUninitvar \
		--suppress='nullPointer:tests/*' \
		--suppress='memleak:tests/*' \
		--suppress='memleakOnRealloc:tests/*' \
		--template='{file}:{line}: {id}: {message}' \
		$(LINT_LIB) $(LINT_TEST)

# In bats a failing cd ends the test, functions share variables with `run`,
# and a failing `! command` passes unnoticed unless it is the last.
lint-shell:
	$(call say,SHELL,'tests .ci')
	$(Q)shellcheck -S warning \
		-e SC2164,SC2030,SC2031,SC2034,SC2046,SC2119,SC2120 \
		-e SC2154,SC2238 $(LINT_SH)
	$(Q)shellcheck -i SC2314,SC2315 $(LINT_SH)

lint-man:
	$(call say,MANDOC,man)
	$(Q)test -z '$(LINT_MAN)' || mandoc -Tlint -W warning $(LINT_MAN)

.PHONY: lint lint-run lint-format lint-clang lint-tidy lint-analyzer lint-cppcheck \
	lint-shell lint-man deps-lint
