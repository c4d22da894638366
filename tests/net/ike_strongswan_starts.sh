#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign
# LAB-TIMEOUT: 240
#
# strongSwan starts towards our engine: with raw RSA, P-384 and Ed25519 keys and a pre-shared key; our engine demands a
# cookie; both cut their messages into small fragments; wrong keys fail; strongSwan notices that we fell silent.
#
#     a 10.9.0.1 ikepeer ---- [switch lan0, capture] ---- b 10.9.0.2 strongSwan
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/ikepeer.sh"
need bridge esp4

lan a b
reach a b
serve b
# The longest signatures make messages that do not fit in the smallest fragments.
make_key a rsa
make_key b rsa
strongswan b a conf='rsa_pss = yes
	fragment_size = 576
	retransmit_timeout = 0.5
	retransmit_tries = 2'
capture_start

ours=(--respond --fragment-size 576)
ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/b.pub" "${ours[@]}" --always-cookie
swan b --initiate --child peer >/dev/null
hears a '^CHILD_UP'
check_eq "$(heard a '^UP .* responder auth=signature id=2:b.lab ')" 1 "RSA: up as responder"
check "$(number a cookies_sent)" -ge 1 "cookies that we demanded"
check "$(grep -c 'received fragment #' "$WORK/charon-b.log")" -ge 2 "fragments that strongSwan got"
check "$(grep -c 'generating IKE_AUTH request .* EF(' "$WORK/charon-b.log")" -ge 2 "fragments that strongSwan sent"
flows a b
tell a rekey-child
hears a '^CHILD_DOWN .* replaced=1'
swan b --rekey --child peer >/dev/null
hears a '^CHILD_DOWN .* replaced=1' 2
tell a rekey-ike
hears a '^REPLACED'
swan b --rekey --ike peer >/dev/null
hears a '^REPLACED' 2
flows a b
ok "all rekeys as responder"
swan b --terminate --ike peer >/dev/null
hears a '^DOWN .* reason=closed-by-the-peer '
quiet a b

make_key a p384
make_key b p384
strongswan_load b a
ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/b.pub" "${ours[@]}"
swan b --initiate --child peer >/dev/null
hears a '^CHILD_UP'
flows a b
ok "P-384"
tell a close
hears a '^DOWN'
quiet a b

# Right name, wrong key: refused in both directions, and nothing is installed.
make_key c ed25519
make_key a ed25519
make_key b ed25519
strongswan_load b a
ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/c.pub" "${ours[@]}"
! swan b --initiate --child peer >/dev/null 2>&1 || fail "a key that was not given was accepted"
hears a '^DOWN .* reason=authentication-failed was_up=0 '
ikepeer a --key "$WORK/c.pem" --peer-key "$WORK/b.pub" "${ours[@]}"
! swan b --initiate --child peer >/dev/null 2>&1 || fail "strongSwan accepted another key"
quiet a b
ok "wrong keys"

# Our engine goes away without a word: strongSwan, whose probes stay unanswered, forgets it.
strongswan_load b a conn='dpd_delay = 1s'
ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/b.pub" "${ours[@]}"
swan b --initiate --child peer >/dev/null
hears a '^CHILD_UP'
stop ike-a KILL
wait_for 20 swan_has b ESTABLISHED 0
on a ip xfrm state flush
on a ip xfrm policy flush
ok "strongSwan notices that we are gone"

strongswan_load b a auth=psk
ikepeer a --psk "$FOREIGN_PSK" "${ours[@]}" --fail-open
swan b --initiate --child peer >/dev/null
hears a '^CHILD_UP'
check_eq "$(heard a '^UP .* responder auth=psk ')" 1 "PSK: up as responder"
flows a b
capture_stop
judge --expect 'marker=0,clear=0,esp>40,espdup=0,ike>30'
