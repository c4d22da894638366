#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 200
#
# What spreading ESP over processors does to the throughput of a host with several peers: two streams at once into a, whose agent has
# spread on and off in turn. Beside it how idle the guest's processors were without it: where senders and receiver share
# them, there is nothing to gain once they are busy, and handing packets over costs something.
#
#     a 10.9.0.1, shield, spread on | off ===ESP=== b 10.9.0.2, c 10.9.0.3
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/../net/agent.sh"
. "$(dirname "$0")/stat.sh"
need bridge esp4 esp6 bpf_tc ringbuf smp

rounds=${LAB_ROUNDS:-10} bytes=4000000

lan a b c
for h in b c; do neighbours a $h; done
private_hosts a b c
for h in b c; do
	pin a $h
	pin $h a
done
setting a agent 'shield = on'
setting a agent 'spread = off'
serve a
for h in a b c; do product $h; done
for h in b c; do on $h "$HFPROBE" udp "$(addr a)" --count 3 --wait-ms 30000 --strict >/dev/null; done

spread() {
	stop agent-a
	on a sed -i "s/spread = .*/spread = $1/" /etc/holdfast/holdfast.conf
	product a
	wait_for 30 has_secure a 2
}
# Of all processors, since the guest has started: idle, and in all.
idle() { awk '/^cpu / { print $5, $2 + $3 + $4 + $5 + $6 + $7 + $8 }' /proc/stat; }

# streams STATE: Mbit/s of both, and how idle the processors were, to files.
streams() {
	local h sum before after
	before=$(idle)
	for h in b c; do bg $h "stream-$h" "$HFPROBE" stream "$(addr a)" --bytes $bytes --wait-ms 60000 --strict; done
	for h in b c; do
		await "stream-$h" 120
		[ "$STOPPED_RC" = 0 ] || fail "stream from $h: $(tail -n 1 "$WORK/stream-$h.log")"
	done
	after=$(idle)
	sum=$(for h in b c; do json "$(<"$WORK/stream-$h.log")" mbit_s; done | awk '{ s += $1 } END { print s }')
	echo "$sum" >>"$WORK/mbit.$1"
	awk -v b="$before" -v a="$after" 'BEGIN { split(b, x); split(a, y); print 100 * (y[1] - x[1]) / (y[2] - x[2]) }' >>"$WORK/idle.$1"
	got[$1]=$sum
}

declare -A got=()
streams off
rm "$WORK/mbit.off" "$WORK/idle.off"
for ((i = 0; i < rounds; i++)); do
	order='off on'
	((i % 2)) && order='on off'
	for state in $order; do
		spread "$state"
		streams "$state"
	done
	awk -v on="${got[on]}" -v off="${got[off]}" 'BEGIN { print on / off }' >>"$WORK/ratio"
done
for state in off on; do
	result "spread.$state" "$(summary <"$WORK/mbit.$state")"
	result "spread.idle_$state" "$(summary <"$WORK/idle.$state")"
done
result spread.ratio "$(summary <"$WORK/ratio")"
