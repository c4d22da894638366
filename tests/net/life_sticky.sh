#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# Once reached securely, never clear again (DESIGN 4, sticky): b's agent ends and everything of it with it, all IKE is dropped. Under
# private-or-clear a falls back to clear for c, whom it never reached, and not for b: not at once, not after the attempt's end, not
# after a's own restart, and not without any agent. The operator's `forget` would end it; here the store is moved away.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2 (agent), c 10.9.0.3 (no agent)      a: private-or-clear
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf nat

lan a b c
neighbours a b
neighbours a c
for h in a b; do host_key "$h"; done
configure a private-or-clear 10.9.0.0/24 fd09::/64
configure b private 10.9.0.1/32 fd09::1/128
pin a b
pin b a
serve b
serve c
for h in a b; do product "$h"; done

out=$(on a "$HFPROBE" udp "$(addr b)" --count 3 --complete) || fail "udp: $out"
wait_for 15 has_secure a 1
capture_start

# ---- b forgets everything, and nobody hears IKE any more
stop agent-b KILL
on b "$HOLDFAST" unload
modprobe -aq iptable_filter
for h in a b; do
	for chain in INPUT OUTPUT; do
		on "$h" iptables-legacy -A $chain -p udp --dport 500 -j DROP
		on "$h" iptables-legacy -A $chain -p udp --dport 4500 -j DROP
	done
done
on a ip xfrm state flush
reached() { json "$(on a "$HFPROBE" udp "$1" --count 1 --wait-ms "$2" || true)" received; }
check_eq "$(reached "$(addr b)" 1000)" 0 "answers of b at once"
check_eq "$(reached "$(addr c)" 12000)" 1 "answers of c, never reached, after the attempt"
check_eq "$(reached "$(addr b)" 9000)" 0 "answers of b when another's attempt has long ended"

# ---- restarted, killed, and restarted again
stop agent-a KILL
check_eq "$(reached "$(addr b)" 500)" 0 "answers of b without an agent"
product a
check_eq "$(reached "$(addr b)" 9000)" 0 "answers of b after a restart"
check_eq "$(peers_in a clear)" 0 "pairs in clear"
# What b sends in clear is not taken either.
serve a
out=$(on b "$HFPROBE" udp "$(addr a)" --count 1 --wait-ms 1000) || true
check_eq "$(json "$out" received)" 0 "answers to what b sends in clear"
stop serve-a
! grep -q '"from":"10.9.0.2"' "$WORK/serve-a.log" || fail "a took a clear packet of b"
capture_stop
judge --expect 'truncated=0' >"$WORK/judged"
! grep "^$(addr a) > $(addr b):" "$WORK/judged" | grep -v ' marker=0 .* clear=0 ' || fail "clear packets of a to b"

# ---- the memory is the store's
stop agent-a
on a sh -c 'rm -f /etc/holdfast/state/known.db*'
product a
check_eq "$(reached "$(addr b)" 12000)" 1 "answers of b when nothing is remembered of it"
