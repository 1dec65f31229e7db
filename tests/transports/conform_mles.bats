#!/usr/bin/env bash
# The conformance suite over zpinc-mles.
ZP_DRIVER="mles" exec bats --tap "${0%/*}/conformance.suite"
