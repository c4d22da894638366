#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign
# LAB-TIMEOUT: 240
#
# Our engine and strongSwan start at the same moment, rekey at the same moment and delete at the same moment. Whoever wins, traffic
# flows, and in the end no SA is left that only one of them knows.
#
#     a 10.9.0.1 ikepeer ---- [switch lan0, capture] ---- b 10.9.0.2 strongSwan
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/ikepeer.sh"
need bridge esp4 netem

lan a b
reach a b
serve b
make_key a ed25519
make_key b ed25519
strongswan b a
ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/b.pub" --peer-id b.lab --respond
capture_start
# strongSwan's packets take a while, so that both have asked before either has heard of it.
on b tc qdisc add dev eth0 root netem delay 400ms

logged() { grep -c "$1" "$WORK/charon-b.log" || true; }
begun() { [ "$(logged "$1")" -gt "$2" ]; }
both() { # OUR COMMAND, WHAT STRONGSWAN LOGS, ITS COMMAND...
	local ours=$1 mark=$2 before
	shift 2
	before=$(logged "$mark")
	swan b "$@" >/dev/null 2>&1 &
	wait_for 20 begun "$mark" "$before"
	tell a "$ours"
	wait $! || true
}
spis() { on "$1" ip xfrm state | grep -o 'spi 0x[0-9a-f]*' | sort; }
agreed() { [ "$(spis a)" = "$(spis b)" ] && has_states a 2; }
outbound() { on a ip xfrm state | grep -c "^src $(addr a) " || true; }

# No more than one of ours to send with; a loser that strongSwan made is left to it, and is only received on.
one() { [ "$(outbound)" = 1 ]; }
for round in 1 2 3 4; do
	both "connect $(addr b)" "initiating IKE_SA" --initiate --child peer
	hears a '^CHILD_UP' "$round"
	wait_for 20 one
	flows a b
	nap 2.5 # the creator of a loser deletes it after 1 to 2 s
	flows a b
	check_eq "$(outbound)" 1 "SAs that we send with, of $(swan_count b INSTALLED) that strongSwan has"
	swan b --terminate --ike peer >/dev/null
	quiet a b
	((round < 2 || $(number a collisions) < 1)) || break
done
check "$(number a collisions)" -ge 1 "initiations that crossed"
swan b --initiate --child peer >/dev/null
flows a b
for round in 1 2 3 4 5 6; do
	both rekey-child "vici rekey CHILD_SA" --rekey --child peer
	wait_for 20 agreed
	flows a b
	((round < 2 || $(logged 'detected CHILD_REKEY collision') < 1)) || break
done
check "$(logged 'detected CHILD_REKEY collision')" -ge 1 "rekeys of the Child SA that crossed"
for round in 1 2 3 4 5 6; do
	both rekey-ike "vici rekey IKE_SA" --rekey --ike peer
	wait_for 20 agreed
	wait_for 20 swan_has b ESTABLISHED 1
	flows a b
	((round < 2 || $(logged 'detected IKE_REKEY collision') < 1)) || break
done
check "$(logged 'detected IKE_REKEY collision')" -ge 1 "rekeys of the IKE SA that crossed"
both close "vici terminate IKE_SA" --terminate --ike peer
wait_for 20 swan_has b ESTABLISHED 0
quiet a b
check_eq "$(number a sas)" 0 "SAs left in the engine"
capture_stop
judge --expect 'marker=0,clear=0,espdup=0'
