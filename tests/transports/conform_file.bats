#!/usr/bin/env bash
# The conformance suite over zpinc-file.
ZP_DRIVER="file" exec bats --tap "${0%/*}/conformance.suite"
