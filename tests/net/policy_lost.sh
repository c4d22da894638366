#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Somebody flushes all SAs, or deletes one, under traffic: the pair is made again with its next packet, nothing leaves in
# clear, and what is sent meanwhile waits. One that only listens notices too.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2     a private, agent; b fixed SAs and policies
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b
neighbours a b
configure a private 10.9.0.0/24 fd09::/64
fixed_peer b "$(addr a)" "$(addr b)"
fixed_peer b "$(addr6 a)" "$(addr6 b)"
serve b
agent a --no-esn --delay 20
capture_start
on a "$HFPROBE" udp "$(addr b)" --strict >/dev/null
on a "$HFPROBE" udp "$(addr6 b)" --strict >/dev/null
sas() { [ "$(on a ip xfrm state | grep -c '^src')" = 4 ]; }
spi_of() { "$FIXEDKEY" --print "$1" "$2" | sed -n '1s/.* spi \(0x[0-9a-f]*\) .*/\1/p'; }

bg a tcp4 "$HFPROBE" tcp "$(addr b)" --count 200 --interval-ms 20 --bytes 3000 --strict --wait-ms 20000
bg a udp6 "$HFPROBE" udp "$(addr6 b)" --count 400 --interval-ms 10 --wait-ms 3000
for ((i = 0; i < 5; i++)); do
	on a ip xfrm state flush
	wait_for 5 sas
	on a ip xfrm state delete src "$(addr6 a)" dst "$(addr6 b)" proto esp spi "$(spi_of "$(addr6 b)" "$(addr6 a)")" || true
	wait_for 5 sas
done
ok "SAs come back"
await tcp4 60
check_eq "$STOPPED_RC" 0 "$(cat "$WORK/tcp4.log")"
await udp6 60
out=$(cat "$WORK/udp6.log")
# Gone are the packets that met a policy whose SA had just vanished: the kernel drops those itself until the agent has a turn, which
# in a busy lab takes a while. Nobody holding what is sent meanwhile would lose most.
check "$(json "$out" lost)" -le 100 "of 400 datagrams, lost in ten accidents"
check "$(counter a secured_ever)" -ge 10 "times a pair was secured"

# Nothing is sent: no packet shows that the SA is gone, yet what b seals must be heard again.
nap 0.2
on a ip xfrm state flush
wait_for 5 sas
on b "$HFPROBE" ping "$(addr a)" --count 3 --strict >/dev/null
on b "$HFPROBE" ping "$(addr6 a)" --count 3 --strict >/dev/null
ok "a host that only listens hears again"
capture_stop
judge --expect 'marker=0,clear=0,esp>200'
