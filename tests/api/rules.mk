# The program of tests/api, for builds that are not installed: sanitized, or
# counting lines.
API := $(B)/tests/api/example
CHECK_EXTRA += $(API)

$(API): $(B)/tests/api/example.o $(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(LIBZPINC) $(ALL_LDFLAGS) $(SODIUM_LIBS) $(LIBS)
