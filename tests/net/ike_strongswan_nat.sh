#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign
# LAB-TIMEOUT: 240
#
# A NAT that changes addresses and ports between our engine and strongSwan: first we are behind it, then strongSwan is, then nobody
# is and our side asks for encapsulation all the same. Only ESP in UDP passes, in transport mode with the addresses of
# RFC 7296 2.23.1, through rekeys by either side.
#
#     a 10.9.0.1 ikepeer  --> n 10.9.0.2 NAT --> b 10.9.0.3 strongSwan
#     d 10.9.0.5 ikepeer  <-- n 10.9.0.2 NAT <-- c 10.9.0.4 strongSwan
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/ikepeer.sh"
need bridge esp4 nat

lan a n b c d
for h in a b c d; do make_key "$h" ed25519; done
nat_through a n b
nat_through c n d
strongswan b a remote=%any
strongswan c d
capture_start

# Packets go one way only through the NAT: b knows the peer by n's address.
flows_in() { # FROM TO
	on "$1" "$HFPROBE" ping "$(addr "$2")" --count 3 --complete >/dev/null
	on "$1" "$HFPROBE" udp "$(addr "$2")" --count 10 --interval-ms 2 --complete >/dev/null
	on "$1" "$HFPROBE" tcp "$(addr "$2")" --count 2 --bytes 20000 --complete >/dev/null
}

serve b
ikepeer a --key "$WORK/a.pem" --peer-key "$WORK/b.pub" --peer-id b.lab --connect "$(addr b)"
hears a '^CHILD_UP'
check_eq "$(heard a '^CHILD_UP .* transport-encap ')" 1 "we are behind the NAT: transport mode in UDP"
flows_in a b
tell a rekey-child
hears a '^CHILD_DOWN .* replaced=1'
flows_in a b
swan b --rekey --ike peer >/dev/null
hears a '^REPLACED'
swan b --rekey --child peer >/dev/null
hears a '^CHILD_DOWN .* replaced=1' 2
flows_in a b
ok "rekeys by either side through the NAT"
tell a close
hears a '^DOWN'
quiet a b

serve d
ikepeer d --key "$WORK/d.pem" --peer-key "$WORK/c.pub" --respond
swan c --initiate --child peer >/dev/null
hears d '^CHILD_UP'
check_eq "$(heard d '^CHILD_UP .* transport-encap ')" 1 "strongSwan is behind the NAT: transport mode in UDP"
check_eq "$(heard d "^UP .* remote=$(addr n) port=2[0-9]{4}")" 1 "its address and port as we see them"
flows_in c d
swan c --rekey --child peer >/dev/null
hears d '^CHILD_DOWN .* replaced=1'
tell d rekey-child
hears d '^CHILD_DOWN .* replaced=1' 2
tell d rekey-ike
hears d '^REPLACED'
flows_in c d
ok "rekeys by either side through the NAT"
swan c --terminate --ike peer >/dev/null
hears d '^DOWN .* reason=closed-by-the-peer '
quiet c d
capture_stop
judge --expect 'marker=0,clear=0,esp=0,udpesp>100,ike>20'
