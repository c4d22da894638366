#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 90
#
# Dead peers first: 4000 packets wait for 200 peers that never agree on an SA; then 50 live peers per family are
# contacted, all at once. Each gets its first packet, while everything for the dead ones is still held. Prints
# how long after its SA (50 ms) each one's answer was there; the numbers that must hold are the bench's.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2, 10.9.2.1-50         private, live
#       fd09::1                    |                fd09::2, fd09:0:0:2::1-32
#                                  '- - - - - - - - 10.77.0.0/16, fd77::/64       private, dead
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

live() { printf '10.9.2.%d\n' "$1"; }
live6() { printf 'fd09:0:0:2::%x\n' "$1"; }

lan a b
for ((i = 1; i <= 50; i++)); do
	echo "addr add $(live $i)/32 dev eth0"
	echo "addr add $(live6 $i)/128 dev eth0 nodad"
done | on b ip -batch -
on a ip route add 10.9.2.0/24 dev eth0
on a ip route add 10.77.0.0/16 via "$(addr b)"
on a ip -6 route add fd09:0:0:2::/64 dev eth0
on a ip -6 route add fd77::/64 via "$(addr6 b)"
neighbours a b
configure a private 10.9.0.0/16 10.77.0.0/16 fd09::/48 fd77::/64
setting a limits 'hold_age_seconds = 60'
configure b private 10.9.0.0/24 fd09::/64
serve b
agent b --respond "$(addr a)/32" --respond "$(addr6 a)/128"
agent a --delay 50 --mute 10.77.0.0/16 --mute fd77::/64
capture_start

on a "$HFPROBE" flood 10.77.0.1 --hosts 100 --count 2000
on a "$HFPROBE" flood fd77::1 --hosts 100 --count 2000
dead_wait() { [ "$(held_of a)" = 4000+0+200 ]; }
wait_for 20 dead_wait
ok "4000 packets of 200 dead pairs wait"

on a sh -c 'probe=$1; shift; for host; do "$probe" udp "$host" --wait-ms 20000 --strict & done; wait' live "$HFPROBE" \
	$(for ((i = 1; i <= 50; i++)); do live $i; live6 $i; done) >"$WORK/live.out"
check_eq "$(grep -c '"received":1,"lost":0,"duplicates":0' "$WORK/live.out")" 100 "live peers that got their first packet and answered"
wait_for 10 dead_wait || true # a queue is given back a moment after its handoff
check_eq "$(held_of a)" 4000+0+200 "packets, big packets and pairs of the dead that still wait"
sed 's/.*"first_reply_us":\([0-9.]*\).*/\1/' "$WORK/live.out" | sort -n |
	awk '{ us[NR] = $1 - 50000 }
		END { printf "SA to answer, us: min %d, median %d, 90%% %d, max %d\n", us[1], us[int(NR / 2)], us[int(NR * 0.9)], us[NR] }'
now=$(status_of a)
check_eq "$(json "$now" secure)" 100 "pairs secure"
check_eq "$(json "$now" negotiate)" 200 "pairs that negotiate"
check_eq "$(($(json "$now" drop_pair_full) + $(json "$now" drop_slots_full) + $(json "$now" drop_queues_full)))" 0 "packets dropped"
capture_stop
judge --expect 'marker=0,clear=0,esp>=200,espdup=0,truncated=0'
