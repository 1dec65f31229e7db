#!/usr/bin/env bash
# The conformance suite over zpinc-redis.
ZP_DRIVER="redis" exec bats --tap "${0%/*}/conformance.suite"
