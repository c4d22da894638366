#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 180
#
# An agent is killed and started again, on one side and then on the other, while a packet a millisecond flows both ways: its SAs are
# adopted, get successors soon after, and go; not one packet is lost, none is clear.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2      private to each other, the product itself
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b
neighbours a b
private_hosts a b
pin a b
pin b a
for h in a b; do
	product "$h"
	serve "$h" --no-echo
done
on a "$HFPROBE" ping "$(addr b)" --count 3 --strict >/dev/null
on a "$HFPROBE" ping "$(addr6 b)" --count 3 --strict >/dev/null
wait_for 15 has_secure a 2
wait_for 15 has_secure b 2
# Loading programs stops all of user-mode Linux for seconds; the senders then catch up, and the kernel drops without a word what
# is more than this behind transport-mode ESP (xfrm_trans_queue), agent or not.
{ echo 100000 >/proc/sys/net/core/netdev_max_backlog; } 2>/dev/null || true
capture_start
bg a to-b "$HFPROBE" flood "$(addr b)" --count 10000000 --rate 1000
bg b to-a "$HFPROBE" flood "$(addr a)" --count 10000000 --rate 1000

spis() { on "$1" ip xfrm state | sed -n 's/.*proto esp spi \(0x[0-9a-f]*\).*/\1/p' | sort; }
# What stood before is gone, and each pair has one SA a direction again.
renewed() { # HOST OLD
	local now
	now=$(spis "$1")
	[ "$(wc -l <<<"$now")" = 4 ] && [ -z "$(comm -12 <(echo "$2") <(echo "$now"))" ]
}
for h in a b; do
	old=$(spis "$h")
	check_eq "$(wc -l <<<"$old")" 4 "SAs of $h before"
	stop "agent-$h" KILL
	nap 0.3
	product "$h"
	wait_for 30 has_secure "$h" 2 || fail "$(peers_in "$h" secure) of 2 pairs adopted by $h"
	wait_for 40 renewed a "$old" || fail "SAs of an earlier agent stay: $(spis a)"
	wait_for 20 renewed b "$old" || fail "their other ends stay: $(spis b)"
	ok "$h killed and started: all SAs are new"
done
stop to-b
stop to-a
nap 2
# Counted by the kernel: packets that met no SA, on their way in or out. (XfrmInTmplMismatch counts IKE to an agent that is dead as well.)
for h in a b; do
	for what in XfrmInNoStates XfrmOutNoStates; do
		check_eq "$(on "$h" awk -v w=$what '$1 == w { print $2 }' /proc/net/xfrm_stat)" 0 "$what at $h"
	done
done
for h in a b; do
	stop "serve-$h"
	line=$(grep '"from":"10.9.0' "$WORK/serve-$h.log" | head -1)
	check_eq "$(($(json "$line" seq_max) + 1 - $(json "$line" unique)))" 0 "lost on the way to $h, of $(json "$line" unique)"
	check_eq "$(json "$line" duplicates)" 0 "twice at $h"
done
capture_stop
judge --expect 'marker=0,clear=0,esp>2000,truncated=0' >"$WORK/judged" || { cat "$WORK/judged"; fail "the wire"; }
