#!/usr/bin/env bash
# The conformance suite over zpinc-mqtt.
ZP_DRIVER="mqtt" exec bats --tap "${0%/*}/conformance.suite"
