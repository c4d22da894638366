#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# Packets that fitted the device and do not fit any more once ESP is around them. Held with DF (or IPv6): the sender
# learns the path's MTU, by ICMP to its socket, and its next packets fit. Held without DF: fragmented behind ESP and
# delivered. TCP converges by itself, whether its first segments were held or not.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2     private to each other, SAs after 200 ms
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

private_pair 200
capture_start --snaplen 200

# 1472 and 1452 octets of payload fill an Ethernet MTU; ESP leaves some 1436 and 1414 of them.
told=0
probe() { on a "$HFPROBE" udp "$@" --wait-ms 3000; }
out=$(probe "$(addr b)" --size 1472 --df --recverr --count 1)
[[ $out == *EMSGSIZE* ]] || fail "IPv4, DF, held: the sender did not learn: $out"
check_eq "$(json "$out" received)" 0 "held with DF and too big: answers"
told=$(counter a told_sender)
check_eq "$told" 1 "senders told (IPv4)"
check_eq "$(released a drop_too_big)" 1 "packets too big for the path"
# An IPv6 packet does not say whether its sender would have let it be fragmented: it is, and nothing is lost.
out=$(probe "$(addr6 b)" --size 1452 --df --count 1 --strict)
check_eq "$(counter a told_sender)" 1 "senders told"

# The pair is secure now: the kernel itself answers, at once.
for to in "$(addr b)" "$(addr6 b)"; do
	out=$(probe "$to" --size 1460 --df --recverr --count 1)
	[[ $out == *EMSGSIZE* ]] || fail "$to, DF, secure: $out"
	out=$(probe "$to" --size 1380 --df --count 5 --strict)
	out=$(probe "$to" --size 1472 --no-df --count 5 --strict)
	out=$(on a "$HFPROBE" tcp "$to" --count 5 --bytes 60000 --strict)
	ok "$to: fits, fragments and TCP arrive"
done

# New pairs (other addresses of a): held without DF is delivered, and TCP whose first segment is full-sized.
on a ip addr add 10.9.0.101/24 dev eth0
on a ip addr add fd09::101/64 dev eth0 nodad
stop agent-b
agent b --respond 10.9.0.101/32 --respond fd09::101/128
# b's answers carry DF: one that b still held would be told too big, not delivered.
wait_for 10 has_secure b 4
out=$(probe "$(addr b)" --src 10.9.0.101 --size 1472 --no-df --count 5 --strict)
out=$(probe "$(addr6 b)" --src fd09::101 --size 1452 --no-df --count 5 --strict)
ok "held without DF: delivered"
capture_stop
judge --expect 'marker=0,clear=0,esp>20'

# ---- TCP that ran in clear with full segments: it is caught, learns, and goes on
lan c d
neighbours c d
for h in c d; do
	configure $h private-or-clear 10.9.0.0/24 fd09::/64
	setting $h limits 'hold_age_seconds = 60' # what waits while agents are exchanged is not too old
done
serve d
agent d --fail lookup
agent c --fail lookup
for f in addr addr6; do bg c tcp-$f "$HFPROBE" tcp "$($f d)" --count 5000 --interval-ms 100 --bytes 30000 --strict --wait-ms 60000; done
in_clear() { has_peers c clear 2 && [ "$(counter c out_clear)" -gt 20 ]; }
wait_for 10 in_clear
stop agent-c
stop agent-d
agent d --on-signal --wakes "$WORK/agent-c.pid" --respond "$(addr c)/32" --respond "$(addr6 c)/128"
agent c --on-signal
wait_for 10 has_peers c negotiate 2
pid_of agent-c >"$WORK/agent-c.pid"
kill -USR1 "$(pid_of agent-d)"
wait_for 10 has_secure c 2
esp=$(counter c out_esp)
more_esp() { [ "$(counter c out_esp)" -gt $((esp + 200)) ]; }
wait_for 60 more_esp
enough tcp-addr tcp-addr6
for f in addr addr6; do
	await tcp-$f 90
	check_eq "$STOPPED_RC" 0 "$(cat "$WORK/tcp-$f.log")"
done
