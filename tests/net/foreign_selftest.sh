#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign
#
# The foreign daemons among themselves, as foreign.sh sets them up: when one of the ike_* scenarios fails, it is not
# because the lab cannot run them. A ping from end to end through ESP, nothing in clear.
#
#     a, b strongSwan, raw Ed25519 keys     c, d Libreswan, raw RSA keys
#     10.9.0.1 to .4 ---- [switch lan0, capture]
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/foreign.sh"
need bridge esp4

lan a b c d
capture_start
make_key a ed25519
make_key b ed25519
strongswan a b
strongswan b a
swan a --initiate --child peer >/dev/null
check_eq "$(swan_count b INSTALLED)" 1 "strongSwan and strongSwan, raw Ed25519"
on a "$HFPROBE" ping "$(addr b)" --count 5 --complete >/dev/null

libreswan_key c rsa
libreswan_key d rsa
libreswan c d key=rsa
libreswan d c key=rsa
whack c --name peer --initiate >/dev/null
check_eq "$(pluto_count d child)" 1 "Libreswan and Libreswan, raw RSA"
on c "$HFPROBE" ping "$(addr d)" --count 5 --complete >/dev/null
capture_stop
judge --expect 'marker=0,clear=0,esp=20,ike>6'
