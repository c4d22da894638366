#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A sender far faster than its peer's SA: 2000 datagrams without pause to an unknown peer, more than a pair may hold.
# What did not arrive is in a counter, exactly; the first datagram arrives, and the last; none twice,
# none in clear, and in order unless the agent says that it could not keep it.
#
#     a 10.9.1.1-16 ---- [switch lan0, capture] ---- b 10.9.0.2     private to each other
#       fd09:0:0:1::1-10                                fd09::2
. "$(dirname "$0")/first_packet.inc"

strangers 0
# The neighbours are known, whose own queue would take part in the losing.
for f in "" 6; do on b "$HFPROBE" ping "$(from$f 1)" >/dev/null; done
NEXT=1
for round in 1 2 3; do
	fresh
	on a "$HFPROBE" udp "$(addr b)" --port 7017 --src "$SRC" --count 2000 --wait-ms 500 >/dev/null
	on a "$HFPROBE" udp "$(addr6 b)" --port 7017 --src "$SRC6" --count 2000 --wait-ms 500 >/dev/null
done
now=$(status_of a)
stop count-b
lines=$(grep '"from"' "$WORK/count-b.log")
arrived=0
while read -r line; do
	arrived=$((arrived + $(json "$line" unique)))
	check_eq "$(json "$line" seq_max)" 1999 "last datagram that arrived from $(json "$line" from)"
	[ "$(json "$line" duplicates)" = 0 ] || fail "twice: $line"
	[ "$(json "$line" reordered)" = 0 ] || [[ $now == *'"limit":"handoff"'* ]] || fail "out of order: $line"
done <<<"$lines"
dropped=0
for name in drop_pair_full drop_race drop_slots_full; do dropped=$((dropped + $(json "$now" $name))); done
echo "held $(json "$now" held), of these sealed $(json "$now" held_sealed); dropped $dropped; arrived $arrived"
check_eq $((arrived + dropped)) 12000 "arrived and dropped"
check_eq $(($(json "$now" released_sealed) + $(json "$now" passed_sealed) + $(json "$now" drop_pair_full))) "$(json "$now" held)" \
	"held packets accounted for"
on_the_wire
