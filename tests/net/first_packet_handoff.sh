#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SHORT
# LAB-TIMEOUT: 90
#
# Senders in full flight when their SA comes: a datagram every 0.1 ms, 2 ms until the SA. While held packets are let go,
# later ones already meet the new policy by themselves, on the other processor where there are two; they must wait their
# turn. Everything arrives once, but for what a counter says that the pair's limit took; and in order, but for pairs of
# which the agent says that their sender was faster than it (limit "handoff").
#
#     a 10.9.1.1-16 ---- [switch lan0, capture] ---- b 10.9.0.2     private to each other
#       fd09:0:0:1::1-10                                fd09::2
. "$(dirname "$0")/first_packet.inc"

strangers 2
# The neighbours are known, whose own queue would take part.
for ((i = 1; i <= PAIRS; i++)); do
	on b "$HFPROBE" ping "$(from $i)" --wait-ms 0 >/dev/null
	on b "$HFPROBE" ping "$(from6 $i)" --wait-ms 0 >/dev/null
done
# Those pings are gone: one that came when its pair has SAs would be answered, a packet more than is counted below.
wait_for 20 is_calm b
for ((i = 1; i <= 8; i++)); do
	fresh
	on a "$HFPROBE" udp "$(addr b)" --port 7017 --src "$SRC" --count 1000 --interval-ms 0.1 --wait-ms 0 >/dev/null
	on a "$HFPROBE" udp "$(addr6 b)" --port 7017 --src "$SRC6" --count 1000 --interval-ms 0.1 --wait-ms 0 >/dev/null
done
nap 0.5
now=$(status_of a)
stop count-b
lines=$(grep '"from"' "$WORK/count-b.log")
echo "$lines"
echo "held $(json "$now" held), of these sealed already $(json "$now" held_sealed), dropped by the pair's limit $(json "$now" drop_pair_full)"
arrived=0 disordered=0 cut=0
[[ ! $now =~ \"limit\":\"handoff\",\"times\":([0-9]+) ]] || cut=${BASH_REMATCH[1]}
while read -r line; do
	arrived=$((arrived + $(json "$line" unique)))
	[ "$(json "$line" duplicates)" = 0 ] || fail "twice: $line"
	[ "$(json "$line" reordered)" = 0 ] || disordered=$((disordered + 1))
done <<<"$lines"
check_eq "$(wc -l <<<"$lines")" 16 "senders heard"
check "$disordered" -le "$cut" "pairs out of order, of which the agent said $cut"
check_eq $((arrived + $(json "$now" drop_pair_full))) 16000 "datagrams that arrived, and dropped by the pair's limit"
check_eq $(($(json "$now" released_sealed) + $(json "$now" passed_sealed) + $(json "$now" drop_pair_full))) "$(json "$now" held)" \
	"held packets accounted for"
on_the_wire
