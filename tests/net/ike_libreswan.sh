#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign
# LAB-TIMEOUT: 240
#
# Our engine and Libreswan: raw P-256 and RSA keys, a pre-shared key, and NULL authentication, started by either side; rekeys and
# deletes by either side, cookies demanded by either side, liveness asked by Libreswan, fragments sent by us. Traffic flows both ways
# after every change, nothing is in clear, nothing is left.
#
#     a 10.9.0.1 ikepeer ---- [switch lan0, capture] ---- b 10.9.0.2 Libreswan
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/ikepeer.sh"
need bridge esp4

lan a b
reach a b
serve b
make_key a p256
libreswan_key b ecdsa
libreswan b a
capture_start

connect=(--peer-id b.lab --connect "$(addr b)")
whack b --ddos-busy >/dev/null
ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/b.pub" "${connect[@]}"
hears a '^CHILD_UP'
check_eq "$(heard a '^UP .* initiator auth=signature id=2:b.lab ')" 1 "P-256: up as initiator, a cookie on the way"
check_eq "$(pluto_count b child)" 1 "Libreswan's Child SAs"
whack b --ddos-auto >/dev/null
flows a b
tell a rekey-child
hears a '^CHILD_DOWN .* replaced=1'
flows a b
ok "Child SA rekeyed by us"
tell a rekey-ike
hears a '^REPLACED'
flows a b
ok "IKE SA rekeyed by us"
whack b --name peer --rekey-ipsec >/dev/null
hears a '^CHILD_DOWN .* replaced=1' 2
flows a b
ok "Child SA rekeyed by Libreswan"
whack b --name peer --rekey-ike >/dev/null
hears a '^REPLACED' 2
flows a b
ok "IKE SA rekeyed by Libreswan"
tell a probe
tell a close-child
settles a 0
ok "Child SA deleted by us"
tell a close
hears a '^DOWN .* reason=closed '
wait_for 10 pluto_has b ike 0
quiet a b

make_key a rsa
libreswan_key b rsa
libreswan_load b a key=rsa
ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/b.pub" --respond --always-cookie --fragment-size 576
whack b --name peer --initiate >/dev/null
hears a '^CHILD_UP'
check_eq "$(heard a '^UP .* responder auth=signature id=2:b.lab ')" 1 "RSA: up as responder"
check "$(number a cookies_sent)" -ge 1 "cookies that we demanded"
flows a b
# Once more, and Libreswan makes a second Child SA without a word about the first, whose place it takes.
whack b --name peer --initiate >/dev/null
hears a '^CHILD_UP' 2
hears a '^CHILD_QUIET'
flows a b
ok "a second Child SA made by Libreswan takes the first one's place"
whack b --name peer --terminate >/dev/null
hears a '^DOWN .* reason=closed-by-the-peer '
quiet a b
ok "IKE SA deleted by Libreswan"

libreswan_load b a auth=psk conn='dpddelay=1'
ikepeer a --psk "$FOREIGN_PSK" "${connect[@]}"
hears a '^CHILD_UP'
check_eq "$(heard a '^UP .* auth=psk ')" 1 "PSK: up"
flows a b
before=$(number a datagrams)
asked() { [ "$(number a datagrams)" -ge $((before + 2)) ]; }
wait_for 15 asked
ok "liveness asked by Libreswan"
tell a close
hears a '^DOWN'
quiet a b

libreswan_load b a auth=null
ikepeer a --null --respond
whack b --name peer --initiate >/dev/null
hears a '^CHILD_UP'
check_eq "$(heard a '^UP .* responder auth=null id=13: ')" 1 "NULL: up as responder"
flows a b
whack b --name peer --terminate >/dev/null
hears a '^DOWN'
quiet a b
ikepeer a --null --connect "$(addr b)"
hears a '^CHILD_UP'
check_eq "$(heard a '^UP .* initiator auth=null id=13: ')" 1 "NULL: up as initiator"
flows a b
tell a close
hears a '^DOWN'
ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/b.pub" --respond
whack b --name peer --initiate --asynchronous >/dev/null
hears a '^DOWN .* reason=authentication-failed was_up=0 '
ok "NULL where a key is wanted"
capture_stop
check "$(skf a)" -ge 2 "fragments that Libreswan took"
judge --expect 'marker=0,clear=0,esp>60,espdup=0,ike>30'
