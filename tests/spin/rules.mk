# The view rules, checked by spin: two members with one fault in every
# reachable state, three members with two faults in as many as fit into SPIN_BITS bits of hash within SPIN_MINUTES.

SPIN ?= spin
SPIN_BITS ?= 28
SPIN_MINUTES ?= 3
PAN := $(B)/tests/spin
CHECK_ALL += spin
CHECK_DEBS += spin

$(PAN)/two/pan: tests/spin/views.pml
	$(call say,SPIN,$<)
	$(Q)mkdir -p $(@D)
	$(Q)cd $(@D) && $(SPIN) -a -DTWO -DFAULTS=1 $(CURDIR)/$< >/dev/null && \
		$(CC) -O1 -DSAFETY -DNOREDUCE -DCOLLAPSE -o pan pan.c

$(PAN)/three/pan: tests/spin/views.pml
	$(call say,SPIN,$<)
	$(Q)mkdir -p $(@D)
	$(Q)cd $(@D) && $(SPIN) -a -DFAULTS=2 $(CURDIR)/$< >/dev/null && \
		$(CC) -O1 -DSAFETY -DNOREDUCE -DBITSTATE -o pan pan.c

# pan exits 0 whatever it finds; its last word counts.
spin: $(PAN)/two/pan $(PAN)/three/pan
	$(Q)cd $(PAN)/two && ./pan -n -m1000000 -w22 >out && \
		grep -h 'errors: 0$$' out
	$(Q)cd $(PAN)/three && ./pan -n -m20000 -w$(SPIN_BITS) \
		-Q$(SPIN_MINUTES) >out; grep -h 'errors: 0$$' out

.PHONY: spin
