# The second implementation, checked against the published vectors, and the
# library against it on odd lines.
CHECK_PROGRAMS += tests/oracle/check.py tests/oracle/differ.py
CHECK_EXTRA += $(B)/tests/oracle/verdict
CHECK_ALL += differ-long

$(B)/tests/oracle/verdict: $(B)/tests/oracle/verdict.o $(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(LIBZPINC) $(ALL_LDFLAGS) $(SODIUM_LIBS) $(LIBS)

differ-long: check-build
	$(Q)for seed in 2 3 4 5 6 7 8 9; do \
		SEED=$$seed COUNT=20000 tests/oracle/differ.py || exit 1; \
	done

.PHONY: differ-long
