MLES_LIBS = $(call pkg,--libs,libcbor libcjson)

# A MlesTalk member on a line, and what drives it.
MLES_MEMBER := $(B)/tests/mles/mles_member

$(MLES_MEMBER): $(B)/tests/mles/mles_member.o $(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(LIBZPINC) $(ALL_LDFLAGS) $(SODIUM_LIBS) $(LIBS)

CHECK_EXTRA += $(MLES_MEMBER)
CHECK_PROGRAMS += tests/mles/test_schedules.py tests/mles/test_scenes.py \
	tests/mles/test_model.py tests/mles/test_pipe.py \
	tests/mles/test_pipe_scenes.py
CHECK_ALL += mles-schedules mles-pipes

# What of zpinc-mles can be tested without a server.
ifneq ($(filter zpinc-mles,$(TOOLS)),)
MLES_FRAME := $(B)/tests/mles/test_mlesframe

$(MLES_FRAME): $(B)/tests/mles/test_mlesframe.o $(LIBNET) $(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(LIBNET) $(LIBZPINC) $(ALL_LDFLAGS) \
		$(MLES_LIBS) $(LIBS)

CHECK_PROGRAMS += $(MLES_FRAME)
endif

# The same with more trials of each schedule.
mles-schedules: $(MLES_MEMBER)
	TRIALS=$(or $(TRIALS),100) tests/mles/test_schedules.py

# The pipe in every schedule.
mles-pipes: all $(MLES_MEMBER)
	TRIALS=$(or $(TRIALS),2) tests/mles/test_pipe.py

.PHONY: mles-schedules mles-pipes
