# Members that converse while what they need is killed; SOAK says over what.
# `make check` runs a small one, tests/soak/soak.bats.
#
#   make soak                          half an hour over a folder: memory flat
#   make soak SOAK=redis SOAK_SECONDS=300
#   make soak-kills SOAK=mqtt SOAK_LINES=10000
SOAK ?= file
SOAK_SECONDS ?= 1800
SOAK_MEMBERS ?= 5
SOAK_RATE ?= 50
SOAK_LINES ?= 10000
SOAK_KILLS ?= 10
SOAK_OUTAGES ?= 10
SOAK_PY := /usr/bin/python3 tests/soak/soak.py

soak: deps-check check-build
	$(Q)$(SOAK_PY) --members $(SOAK_MEMBERS) --rate $(SOAK_RATE) \
		--flat $(SOAK_SECONDS) $(SOAK)

soak-kills: deps-check check-build
	$(Q)$(SOAK_PY) --members $(SOAK_MEMBERS) --rate $(SOAK_RATE) \
		--lines $(SOAK_LINES) --kills $(SOAK_KILLS) \
		--outages $(SOAK_OUTAGES) $(SOAK)

# Each relay, and two of which one is dead and then lies: minutes each.
CHECK_ALL += soak-all

soak-all: check-build
	$(Q)for relay in file redis mqtt nchan 'file liar' 'redis liar'; do \
		$(SOAK_PY) --lines 2000 --rate 20 --kills 10 --outages 10 \
			$$relay || exit 1; done

.PHONY: soak soak-kills soak-all
