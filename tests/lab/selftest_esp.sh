#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The lab judges itself, second half: between hosts with hand-made ESP SAs nothing is clear, and
# every packet of the probes is found as ESP.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2     ESP transport, AES-GCM, fixed keys
#       fd09::1                                     fd09::2
. "$(dirname "$0")/lib.sh"
need bridge esp4 esp6

lan a b
# Neighbours first: unicast ND would match the policies below, whose keys only ND could bring to use.
neighbours a b
esp_static a b
serve b
capture_start
for to in "$(addr b)" "$(addr6 b)"; do
	# Not --strict: with several processors the kernel's asynchronous ciphers may change the order.
	on a "$HFPROBE" ping "$to" --count 5 --interval-ms 5 --complete
	on a "$HFPROBE" udp "$to" --count 20 --complete
	on a "$HFPROBE" tcp "$to" --count 3 --bytes 3000 --strict
	on a "$HFPROBE" stream "$to" --bytes 2000000 --strict
done
capture_stop
judge --expect 'marker=0,clear=0,esp>100,espdup=0,truncated=0'
check "$(wire esp --pair "$(addr a)" "$(addr b)")" -ge 50 "ESP packets, IPv4"
check "$(wire esp --pair "$(addr6 a)" "$(addr6 b)")" -ge 50 "ESP packets, IPv6"
