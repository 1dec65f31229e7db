# The simulator of the handshake.  One history:
#	make sim SCENE=chaos N=5 SEED=17

SIMSRC := $(sort $(wildcard tests/sim/*.c))
ZPSIM := $(B)/tests/sim/zpsim
CHECK_PROGRAMS += $(ZPSIM)

SCENE ?= chaos
N ?= 3
SEED ?= 1

$(ZPSIM): $(SIMSRC:%.c=$(B)/%.o) $(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $(SIMSRC:%.c=$(B)/%.o) $(LIBZPINC) \
		$(ALL_LDFLAGS) $(SODIUM_LIBS) $(LIBS)

sim: $(ZPSIM)
	$(Q)$(ZPSIM) -x $(SCENE) -n $(N) -s $(SEED) -t

# Some 300,000 histories, and the reference along more of them.
sim-all: $(ZPSIM)
	$(Q)$(ZPSIM) -f $(or $(FACTOR),100)
	$(Q)ZP_SIM_RUNS=10 bats tests/sim/agree.bats

# State and traffic of a member when all start at once.  512 machines take a
# minute and a half; a thousand 2 GB and over ten minutes:
# make sim-scale SCALE=1000
SCALE ?= 3 32 256
sim-scale: $(ZPSIM)
	$(Q)for n in $(SCALE); do $(ZPSIM) -x storm -n $$n || exit 1; done

CHECK_ALL += sim-all sim-scale
.PHONY: sim sim-all sim-scale
