#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign
# LAB-TIMEOUT: 240
#
# Our engine and Libreswan start at the same moment, with keys and then with NULL authentication as opportunistic hosts do: traffic
# flows, there is one SA that we send with, and none is left.
#
#     a 10.9.0.1 ikepeer ---- [switch lan0, capture] ---- b 10.9.0.2 Libreswan
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/ikepeer.sh"
need bridge esp4 netem

lan a b
reach a b
serve b
make_key a p256
libreswan_key b ecdsa
libreswan b a
capture_start
on b tc qdisc add dev eth0 root netem delay 400ms

initiating() { grep -c 'sent IKE_SA_INIT request' "$WORK/pluto-b.log" || true; }
begun() { [ "$(initiating)" -gt "$before" ]; }
outbound() { on a ip xfrm state | grep -c "^src $(addr a) " || true; }
one() { [ "$(outbound)" = 1 ]; }

# Libreswan forgets its own attempt when it has answered ours, and that leaves a half-open SA here until its time is over; or both
# are set up and we take the loser away.
cross() {
	local round
	for round in 1 2; do
		before=$(initiating)
		whack b --name peer --initiate --asynchronous >/dev/null
		wait_for 20 begun
		tell a connect "$(addr b)"
		wait_for 20 one
		flows a b
		nap 2.5 # the creator of a loser deletes it after 1 to 2 s
		flows a b
		check_eq "$(outbound)" 1 "SAs that we send with, of $(pluto_count b child) that Libreswan has"
		whack b --name peer --terminate >/dev/null
		quiet a b
	done
	check $(($(number a collisions) + $(number a half_open))) -ge 1 "initiations that crossed"
	check_eq "$(number a established)" 0 "SAs left in the engine"
}

ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/b.pub" --respond
cross
libreswan_load b a auth=null
ikepeer a --null --respond
cross
capture_stop
judge --expect 'marker=0,clear=0,espdup=0'
