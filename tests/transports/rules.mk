# The whole conformance suite over TLS, and over ntfy's other kind of stream.
CHECK_ALL += conform-all

conform-all: check-build
	$(Q)for d in mqtt redis nchan; do \
		ZP_TLS=1 ZP_DRIVER=$$d bats tests/transports/conformance.suite \
			|| exit 1; done
	$(Q)ZP_STREAM=json ZP_DRIVER=ntfy bats tests/transports/conformance.suite

.PHONY: conform-all
