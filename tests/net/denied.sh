#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SHORT
#
# A peer that cannot be reached securely. `private`: the sender is told at once, by an ICMP error that reaches its socket,
# for the packets that were held and for each later one while the verdict stands; nothing is on the wire. `block`: the
# same without an attempt. `private-or-clear`: what was held leaves in clear, in order, and later packets too.
# Each verdict ends, and then a new attempt is made.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b .2 private, c .3 block, d .4 private-or-clear (for a)
#       fd09::1
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b c d
for h in b c d; do
	neighbours a $h
	serve $h
done
for h in b,private c,block d,private-or-clear; do
	configure a "${h#*,}" "$(addr "${h%,*}")/32" "$(addr6 "${h%,*}")/128"
done
agent a --fail lookup
capture_start

# refused WHAT ANSWER: the error that a local socket gets for it.
refused() { [[ $2 == *EHOSTUNREACH* || $2 == *EACCES* || $2 == *EPERM* ]] || fail "$1: no error: $2"; ok "$1: told"; }
# Before the first retransmission, which comes after a second: told at once, or 20 ms later where the agent was faster than
# connect() and the kernel dropped the first word (LockDroppedIcmps).
tcp() { on a "$HFPROBE" tcp "$1" --wait-ms 900; }
udp() { on a "$HFPROBE" udp "$1" --count 3 --wait-ms 1000 "${@:2}"; }

for h in b c; do
	for f in addr addr6; do
		for time in first later; do
			refused "$h $f tcp, $time" "$(tcp "$($f $h)")"
			refused "$h $f udp connected, $time" "$(udp "$($f $h)" --connected)"
		done
		refused "$h $f udp unconnected with IP_RECVERR" "$(udp "$($f $h)" --recverr)"
	done
done
check "$(counter a told_sender)" -ge 20 "errors delivered to local senders"
check "$(counter a drop_block)" -ge 10 "packets dropped by verdict or group block"
check_eq "$(counter a drop_denied)" "$(counter a held)" "held packets that were dropped"

# The verdict on b lasts some seconds (a private peer is tried again soon); the next packet then starts an attempt.
about() { on a "$HOLDFAST" policy test "$1" --json | tr -d '[:space:]'; }
failures() { json "$(about "$(addr b)")" failures; }
have=$(failures)
again() {
	tcp "$(addr b)" >/dev/null
	[ "$(failures)" -gt "$have" ]
}
wait_for 30 again || fail "no second attempt"
ok "second attempt after the first verdict ended"
capture_stop
judge --expect 'marker=0,clear=0,esp=0'

# ---- private-or-clear
capture_start
for f in addr addr6; do
	on a "$HFPROBE" udp "$($f d)" --count 20 --strict >/dev/null
	on a "$HFPROBE" tcp "$($f d)" --count 3 --bytes 3000 --strict >/dev/null
done
check_eq "$(peers_in a clear)" 2 "pairs in clear"
check "$(counter a released_clear)" -ge 2 "held packets released in clear"
check "$(counter a out_clear)" -ge 2 "packets after them"
check "$(json "$(about "$(addr d)")" seconds_left)" -gt 20 "seconds that this is remembered"
capture_stop
judge --expect 'esp=0'
check "$(wire marker)" -ge 40 "clear packets of d's pairs"
