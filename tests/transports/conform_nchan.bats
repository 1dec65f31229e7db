#!/usr/bin/env bash
# The conformance suite over zpinc-http and nginx with Nchan.
ZP_DRIVER="nchan" exec bats --tap "${0%/*}/conformance.suite"
