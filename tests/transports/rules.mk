# The whole conformance suite over TLS, and over both of ntfy's streams.
CHECK_ALL += conform-all

conform-all: check-build
	$(Q)for d in mqtt redis nchan; do \
		ZP_TLS=1 ZP_DRIVER=$$d bats tests/transports/conformance.suite \
			|| exit 1; done
	$(Q)for s in sse json; do \
		ZP_STREAM=$$s ZP_DRIVER=ntfy \
			bats tests/transports/conformance.suite || exit 1; done

.PHONY: conform-all

# What of zpinc-redis can be tested without a server of Redis's.
ifneq ($(filter zpinc-redis,$(TOOLS)),)
TEST_STREAM := $(B)/tests/transports/test_stream
CPPFLAGS_test_stream := $(CPPFLAGS_zp_tls)

$(TEST_STREAM): $(B)/tests/transports/test_stream.o $(LIBNET) $(LIBZPINC)
	$(call say,LD,$@)
	$(Q)$(CC_MODE) -o $@ $< $(LIBNET) $(LIBZPINC) $(ALL_LDFLAGS) \
		$(call pkg,--libs,libssl libcrypto) $(LIBS)

CHECK_PROGRAMS += $(TEST_STREAM)
endif
