#!/usr/bin/env bash
# The conformance suite over zpinc-http and what speaks as ntfy does.
ZP_DRIVER="ntfy" exec bats --tap "${0%/*}/conformance.suite"
