#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign
# LAB-TIMEOUT: 240
#
# Our engine starts towards strongSwan with raw Ed25519 keys: a cookie, an SA, both its rekeys and its end by either side, liveness asked by
# either side; then P-256 keys and a pre-shared key. Traffic flows both ways through the kernels' ESP after every change,
# nothing is ever in clear, and nothing is left at the end.
#
#     a 10.9.0.1 ikepeer ---- [switch lan0, capture] ---- b 10.9.0.2 strongSwan
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/ikepeer.sh"
need bridge esp4

lan a b
reach a b
serve b
make_key a ed25519
make_key b ed25519
strongswan b a conf='cookie_threshold = 1'
capture_start

# A half-open SA, left alone by an engine that waits for a key, makes strongSwan demand cookies.
connect=(--peer-id b.lab --connect "$(addr b)")
ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/b.pub" "${connect[@]}" --answer-delay 100000
wait_for 10 grep -q 'state change: CREATED => CONNECTING' "$WORK/charon-b.log"
ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/b.pub" "${connect[@]}"
hears a '^CHILD_UP'
check_eq "$(heard a '^UP .* initiator auth=signature id=2:b.lab ')" 1 "Ed25519: up as initiator"
check "$(grep -c 'generating IKE_SA_INIT response 0 \[ N(COOKIE)' "$WORK/charon-b.log")" -ge 1 "cookies that strongSwan demanded"
check_eq "$(heard a '^CHILD_UP .* gcm256-esn transport ')" 1 "Child SA in transport mode with ESN"
check_eq "$(swan_count b INSTALLED)" 1 "strongSwan's Child SAs"
flows a b

# The creator of the successor deletes the old one (RFC 7296 2.8); strongSwan keeps its inbound half for 5 s.
tell a rekey-child
hears a '^CHILD_DOWN .* replaced=1'
flows a b
settles a 2
ok "Child SA rekeyed by us"
swan b --rekey --child peer >/dev/null
hears a '^CHILD_DOWN .* replaced=1' 2
flows a b
settles a 2
ok "Child SA rekeyed by strongSwan"
tell a rekey-ike
hears a '^REPLACED'
flows a b
ok "IKE SA rekeyed by us"
swan b --rekey --ike peer >/dev/null
hears a '^REPLACED' 2
flows a b
wait_for 10 swan_has b ESTABLISHED 1
ok "IKE SA rekeyed by strongSwan"
# The successors rekey as well: the keys of the second generation are good.
tell a rekey-child
hears a '^CHILD_DOWN .* replaced=1' 3
flows a b
ok "Child SA rekeyed under the third IKE SA"

# A probe is a request that deletes nothing; it may bring our crash token along.
informational() { grep 'parsed INFORMATIONAL request' "$WORK/charon-b.log" | grep -vc ' D ' || true; }
before=$(informational)
tell a probe
is_probed() { [ "$(informational)" -gt "$before" ]; }
wait_for 10 is_probed
ok "liveness asked by us"
swan b --terminate --child peer >/dev/null
settles a 0
check_eq "$(heard a '^DOWN')" 0 "Child SA deleted by strongSwan, the IKE SA stays"
swan b --initiate --child peer >/dev/null
hears a '^CHILD_UP .* responder ' 2
flows a b
ok "a new Child SA made by strongSwan under our IKE SA"
# Its next request shows that it has the answer to that one: what a peer may not know yet is not deleted.
swan b --rekey --ike peer >/dev/null
hears a '^REPLACED' 3
tell a close-child
settles a 0
wait_for 10 swan_has b INSTALLED 0
ok "Child SA deleted by us"
tell a close
hears a '^DOWN .* reason=closed '
wait_for 10 swan_has b ESTABLISHED 0
quiet a b
ok "IKE SA deleted by us"

# P-256, with a probe by strongSwan each second, and the IKE SA deleted by it.
make_key a p256
make_key b p256
strongswan_load b a conn='dpd_delay = 1s'
ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/b.pub" "${connect[@]}"
hears a '^CHILD_UP'
flows a b
answered() { [ "$(grep -c 'parsed INFORMATIONAL response .* \[ \]' "$WORK/charon-b.log")" -ge 2 ]; }
wait_for 15 answered
ok "P-256: up, and liveness asked by strongSwan"
swan b --terminate --ike peer >/dev/null
hears a '^DOWN .* reason=closed-by-the-peer '
quiet a b
ok "IKE SA deleted by strongSwan"

strongswan_load b a auth=psk
ikepeer a --psk "$FOREIGN_PSK" "${connect[@]}"
hears a '^CHILD_UP'
check_eq "$(heard a '^UP .* auth=psk ')" 1 "PSK: up"
flows a b
tell a close
hears a '^DOWN'
ikepeer a --psk "something else" --respond
! swan b --initiate --child peer >/dev/null 2>&1 || fail "a wrong secret was accepted"
hears a '^DOWN .* reason=authentication-failed was_up=0 '
ok "a wrong PSK fails"
quiet a b
capture_stop
judge --expect 'marker=0,clear=0,esp>60,espdup=0,ike>30'
