# The view rules, checked by spin: every history of two members with so many
# troubles, and of three members with fewer: a million states with one trouble,
# far above eight with two.  Then three members with more troubles, as far as
# SPIN_BITS bits of hash and SPIN_MINUTES reach.

SPIN ?= spin
SPIN_TWO ?= 3
SPIN_THREE ?= 1
SPIN_MORE ?= 5
SPIN_BITS ?= 30
SPIN_MINUTES ?= 3
PAN := $(B)/tests/spin
CHECK_ALL += spin
CHECK_DEBS += spin

# $(call pan,options of the model,options of pan)
define pan
	$(call say,SPIN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)cd $(@D) && $(SPIN) -a $(1) $(CURDIR)/$< >/dev/null && \
		$(CC) -O1 -DSAFETY -DNOREDUCE $(2) -o pan pan.c
endef

$(PAN)/two/pan: tests/spin/views.pml tests/spin/rules.mk
	$(call pan,-DTWO -DKEYS -DTROUBLES=$(SPIN_TWO),-DCOLLAPSE)

$(PAN)/three/pan: tests/spin/views.pml tests/spin/rules.mk
	$(call pan,-DTROUBLES=$(SPIN_THREE),-DCOLLAPSE)

$(PAN)/more/pan: tests/spin/views.pml tests/spin/rules.mk
	$(call pan,-DKEYS -DTROUBLES=$(SPIN_MORE),-DBITSTATE)

# pan exits 0 whatever it finds; its last word counts.
spin: $(PAN)/two/pan $(PAN)/three/pan $(PAN)/more/pan
	$(Q)for d in two three; do (cd $(PAN)/$$d && \
		./pan -n -m1000000 -w24 >out; \
		! grep -E 'max search depth|out of memory' out && \
		grep -h 'errors: 0$$' out && \
		grep -h 'states, stored' out) || exit 1; done
	$(Q)cd $(PAN)/more && ./pan -n -m20000 -w$(SPIN_BITS) \
		-Q$(SPIN_MINUTES) >out; grep -h 'errors: 0$$' out && \
		grep -h 'states, stored' out

.PHONY: spin
