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
