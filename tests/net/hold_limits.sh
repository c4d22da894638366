#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 150
#
# 100,000 packets to 50,000 hosts that nobody knows and that never answer. The memory of the agent and what the maps
# hold stay where the first third put them; every packet is in exactly one counter; a secured pair loses nothing
# meanwhile; when the dead have aged out, a new peer is reached as always. Limits are set low enough to bite.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2, 10.9.2.1     private
#                                  '- - - - - - - - 10.80.0.0/15           private, 50,000 hosts, all dead
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b
on b ip addr add 10.9.2.1/32 dev eth0
on a ip route add 10.9.2.0/24 dev eth0
on a ip route add 10.80.0.0/15 via "$(addr b)"
neighbours a b
configure a private 10.9.0.0/16 fd09::/64 10.80.0.0/15
configure b private 10.9.0.0/24 fd09::/64
setting a limits 'hold_slots = 4096
hold_queues = 2048
hold_age_seconds = 2
gate_entries = 4096
peers = 3000'
serve b
agent b --respond "$(addr a)/32" --respond "$(addr6 a)/128"
agent a --mute 10.80.0.0/15
capture_start

rss() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(pid_of agent-a)/status"; }
# dead FIRST HOSTS: two packets each to HOSTS hosts, the first of them number FIRST.
dead() { on a "$HFPROBE" flood "10.80.$(($1 / 256)).$(($1 % 256))" --hosts "$2" --count $(($2 * 2)); }
# dead_fate STATUS: what became of the dead ones' packets; the live pair is never dropped, which its senders see.
dead_fate() {
	local sum=0 name
	for name in held drop_block drop_slots_full drop_queues_full drop_race drop_copy drop_malformed; do
		sum=$((sum + $(json "$1" $name)))
	done
	echo $((sum - held_before))
}
# held_fate STATUS: what became of all that was ever held.
held_fate() {
	local sum=0 name
	for name in released_sealed released_clear passed_sealed drop_expired drop_denied drop_changed drop_pair_full drop_error; do
		sum=$((sum + $(json "$1" $name)))
	done
	echo "$sum"
}

on a "$HFPROBE" udp "$(addr b)" --count 20 --complete --wait-ms 20000
held_before=$(counter a held)
bg a live "$HFPROBE" udp "$(addr b)" --count 400 --interval-ms 25 --wait-ms 20000 --complete
dead 1 16666
after_third=$(status_of a)
rss_third=$(rss)
dead 16667 16667
dead 33334 16667
now=$(status_of a)
rss_end=$(rss)
echo "after a third: RSS $rss_third kB, pairs $(json "$after_third" total), gate ${after_third#*\"failures\"}" | cut -c1-200
echo "at the end:    RSS $rss_end kB, pairs $(json "$now" total)"
for name in held drop_block drop_slots_full drop_queues_full drop_race drop_expired drop_denied events events_lost; do
	echo "  $name $(json "$now" $name)"
done
check_eq "$(dead_fate "$now")" 100000 "packets sent, by what the program did with them"
check "$(json "$now" held)" -gt 4000 "packets held"
check "$(($(json "$now" drop_slots_full) + $(json "$now" drop_queues_full)))" -gt 10000 "packets that found no room"
check "$(json "$now" total)" -le 3000 "pairs the agent remembers"
check $((rss_end - rss_third)) -le 512 "growth of the agent's memory in the last two thirds, kB"
await live 60
check_eq "$STOPPED_RC" 0 "the secured pair lost nothing: $(cat "$WORK/live.log")"

# The dead age out; then the room is free for who lives.
reached() { on a "$HFPROBE" udp 10.9.2.1 --complete --wait-ms 1500; }
wait_for 60 reached
ok "a new peer is reached after the flood"
all_aged() { [ "$(held_of a)" = 0+0+0 ]; }
wait_for 60 all_aged
now=$(status_of a)
check_eq "$(held_fate "$now")" "$(json "$now" held)" "packets held, by what became of them"
capture_stop
judge --expect 'marker=0,clear=0,esp>800,truncated=0'
