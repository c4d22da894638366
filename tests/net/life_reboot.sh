#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# A peer reboots: its agent, SAs, policies and programs are gone at once, and it starts anew. Whoever speaks first, the pair works
# again at once: the rebooted host's first packet begins, and so does the other's ESP, which it cannot open. Nothing clear.
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
for h in a b; do product "$h"; done
serve a
serve b
on a "$HFPROBE" ping "$(addr b)" --count 3 --strict >/dev/null
wait_for 15 has_secure b 1
capture_start

# Not within 5 s of the last SA: what is as young as that counts as crossing, not as of before, and no host boots faster.
reboot() {
	sleep 6
	stop agent-b KILL
	on b "$HOLDFAST" unload
	[ -z "$(on b ip xfrm state)" ] || fail "SAs of b outlive its reboot"
	product b
}
seconds_since() { echo $(((${EPOCHREALTIME/./} - $1) / 1000000)); }

# ---- b speaks first
reboot
out=$(on b "$HFPROBE" udp "$(addr a)" --count 10 --wait-ms 60000 --complete) || fail "udp of the rebooted: $out"
check_eq "$(json "$out" lost)" 0 "lost when the rebooted host speaks first"
out=$(on a "$HFPROBE" udp "$(addr b)" --count 10 --wait-ms 60000 --complete) || fail "udp to the rebooted: $out"
check_eq "$(json "$out" lost)" 0 "lost the other way then"
one_each() { [ "$(on "$1" ip xfrm state | grep -c '^src')" = 2 ]; }
wait_for 30 one_each a || fail "SAs of before stay: $(on a ip xfrm state | grep -c '^src')"

# ---- a speaks first, and goes on
reboot
begun=${EPOCHREALTIME/./}
answered() { on a "$HFPROBE" udp "$(addr b)" --count 1 --wait-ms 1000 --strict; }
wait_for 60 answered || fail "the pair does not work again"
took=$(seconds_since "$begun")
# By a's liveness alone it is 30 and a probe. (Taking programs away keeps user-mode Linux busy for seconds.)
check "$took" -le 25 "seconds until the rebooted peer was reached again"
[[ $(on b "$HOLDFAST" explain "$(addr a)") == *unreadable* ]] || fail "explain: $(on b "$HOLDFAST" explain "$(addr a)")"
wait_for 30 one_each a
wait_for 30 one_each b
capture_stop
judge --expect 'marker=0,clear=0,esp>20,truncated=0' >"$WORK/judged" || { cat "$WORK/judged"; fail "the wire"; }
