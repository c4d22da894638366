#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The lab judges itself: clear traffic must be seen as clear, and an expectation that does not hold
# must fail. A judge that never finds anything would make every leak test green.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2
#       fd09::1                                     fd09::2
. "$(dirname "$0")/lib.sh"
need bridge

lan a b
serve b --report "$WORK/served"
capture_start
for to in "$(addr b)" "$(addr6 b)"; do
	on a "$HFPROBE" ping "$to" --count 5 --interval-ms 5 --strict
	on a "$HFPROBE" udp "$to" --count 20 --strict
	on a "$HFPROBE" udp "$to" --count 3 --size 4000 --connected --no-df --strict
	on a "$HFPROBE" tcp "$to" --count 3 --bytes 3000 --strict
done
capture_stop
judge

# 2 families x (5 ping + 20 UDP + 3 UDP of 3 fragments) x both directions, and TCP beside it.
for pair in "$(addr a) $(addr b)" "$(addr6 a) $(addr6 b)"; do
	check "$(wire marker --pair $pair)" -ge 74 "packets with the marker between $pair"
	check "$(wire plain --pair $pair)" -ge 6 "clear packets without it, TCP handshakes"
	check_eq "$(wire clear --pair $pair)" $(($(wire marker --pair $pair) + $(wire plain --pair $pair))) "clear packets"
done
check_eq "$(wire esp)" 0 "ESP packets"
check "$(wire arp)" -gt 0 "ARP packets, counted apart"
check "$(wire nd)" -gt 0 "ND packets, counted apart"

if judge --expect clear=0 >"$WORK/verdict"; then fail "clear traffic passed as clean"; fi
check_eq "$(grep -c '^EXPECTED clear=0, but clear is' "$WORK/verdict")" 1 "the judge says what was expected"
if judge --expect 'esp>0' >/dev/null; then fail "no ESP passed as ESP"; fi
if judge --marker NOT-THERE --expect 'marker>0' >/dev/null; then fail "a marker that was not sent was found"; fi
echo "dropped 3" >>"$WORK/wire.pcap.stats"
if judge --expect 'clear>0' >/dev/null; then fail "a capture with holes passed"; fi

stop serve-b
report=$(<"$WORK/served")
check_eq "$(json "$report" received)" 20 "datagrams that the server counted"
check_eq "$(json "$report" tcp_accepted)" 2 "connections that the server accepted"

# Loss and a missing server must be seen as such.
check_eq "$(json "$(on a "$HFPROBE" udp 10.9.0.99 --count 3 --wait-ms 100)" lost)" 3 "answers from nobody"
check_eq "$(json "$(on a "$HFPROBE" tcp "$(addr b)")" error)" ECONNREFUSED "connection to nobody"
