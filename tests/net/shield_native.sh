#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 200
#
# The shield in the driver of a network card, where it answers strangers: alone as a link of its own, alone in a dispatcher, and beside
# a program of somebody else, whose dispatcher is native, too. Each answer reaches the wire.
#
#     a card 10.8.0.1, shield = on ---- card s 10.8.0.2 the stranger
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/shield_beside.inc"
need bridge esp4 esp6 bpf_tc ringbuf cmd:bpftool cmd:jq cmd:setpriv cmd:xdp-loader xdp_dispatcher cards

lan a s
private_hosts a
setting a agent 'shield = on'
card a 10.8.0.1
card s 10.8.0.2
on s "$HFPROBE" ping 10.8.0.1 --count 1 --wait-ms 20000 --strict

came() { on s cat /sys/class/net/card/statistics/rx_packets; }
has_come() { [ "$(came)" -ge "$1" ]; }
# Fifty answers more, and as many frames at the stranger's card.
check_answers() {
	local answered before
	answered=$(count cookies_sent)
	before=$(came)
	wait_for 60 answered_more 50 "$answered"
	wait_for 60 has_come $((before + 50))
}

bg s flood "$HFPROBE" strangers 10.8.0.1 --src 198.18.0.1 --hosts 4 --count 1000000 --rate 300
bg a agent-a setpriv --bounding-set=-sys_admin "$HOLDFAST" run --foreground
wait_for 20 agent_runs a || fail "the agent without CAP_SYS_ADMIN did not start"
is_there card 'native alone' || fail "it is $(where card)"
check_answers
stop agent-a
product a
is_there card 'native alone in the dispatcher' || fail "it is $(where card)"
check_answers
other one card 40 native
is_there card 'native beside 1 in the dispatcher' || fail "it is $(where card)"
check_answers
goes_on one
stop agent-a
on a "$HOLDFAST" unload
check_eq "$(ids card hf_shield_guest | wc -l)" 0 "shields after unload"
product a
is_there card 'native beside 1 in the dispatcher' || fail "it is $(where card)"
check_answers
goes_on one
stop flood
