#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# Both hosts send the first packet of a pair at the same instant, 20 times with fresh addresses, UDP with an answer each way: all
# first packets and all answers arrive; when the crossings are settled each pair has one SA a direction. Nothing clear.
#
#     a 10.9.0.1, 10.9.1.1-20 ---- [switch lan0, capture] ---- b 10.9.0.2, 10.9.2.1-20      private to each other
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

pairs=20
lan a b
for ((i = 1; i <= pairs; i++)); do
	on a ip addr add "10.9.1.$i/32" dev eth0
	on b ip addr add "10.9.2.$i/32" dev eth0
done
on a ip route add 10.9.2.0/24 via "$(addr b)"
on b ip route add 10.9.1.0/24 via "$(addr a)"
neighbours a b
for h in a b; do
	host_key "$h"
	configure "$h" private 10.9.1.0/24 10.9.2.0/24
done
on a sh -c "echo '10.9.2.0/24 $(public_key b)' >>/etc/holdfast/pins"
on b sh -c "echo '10.9.1.0/24 $(public_key a)' >>/etc/holdfast/pins"
for h in a b; do
	product "$h"
	serve "$h"
done
capture_start

# first FROM HOST TO: both processes wait for the same instant.
first() {
	local h=$1 src=$2 dst=$3 at=$4
	while ((${EPOCHREALTIME/./} < at)); do :; done
	on "$h" "$HFPROBE" udp "$dst" --src "$src" --count 1 --wait-ms 20000 --strict
}
good=0
for ((i = 1; i <= pairs; i++)); do
	at=$((${EPOCHREALTIME/./} + 30000))
	first a "10.9.1.$i" "10.9.2.$i" "$at" >"$WORK/first-a" 2>&1 &
	one=$!
	first b "10.9.2.$i" "10.9.1.$i" "$at" >"$WORK/first-b" 2>&1 &
	two=$!
	wait "$one" && wait "$two" && good=$((good + 1)) || cat "$WORK/first-a" "$WORK/first-b"
done
check_eq "$good" "$pairs" "pairs whose first packets both arrived and were answered"
settled() { [ "$(on "$1" ip xfrm state | grep -c '^src')" = $((2 * pairs)) ]; }
wait_for 60 settled a || fail "$(on a ip xfrm state | grep -c '^src') SAs at a"
wait_for 60 settled b || fail "$(on b ip xfrm state | grep -c '^src') SAs at b"
check_eq "$(on a ip xfrm state | sed -n 's/.*spi \(0x[0-9a-f]*\).*/\1/p' | sort | md5sum)" \
	"$(on b ip xfrm state | sed -n 's/.*spi \(0x[0-9a-f]*\).*/\1/p' | sort | md5sum)" "the same SAs at both ends"
check_eq "$(peers_in a secure)+$(peers_in b secure)" "$pairs+$pairs" "pairs secure"
for ((i = 1; i <= pairs; i++)); do
	on a "$HFPROBE" udp "10.9.2.$i" --src "10.9.1.$i" --count 2 --wait-ms 5000 --strict >/dev/null || fail "pair $i does not work"
done
capture_stop
judge --expect 'marker=0,clear=0,esp>=80,truncated=0' >"$WORK/judged" || { cat "$WORK/judged"; fail "the wire"; }
