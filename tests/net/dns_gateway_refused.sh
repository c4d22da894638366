#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign dns
# LAB-TIMEOUT: 300
#
# Whose gateway is not used, and why (dns_gateway.inc): each of h's addresses has a record of another kind. Nothing is asked of such a gateway and nothing
# sent to it. Where the record names the gateway by a name, or several of them, the right one is taken. And a gateway speaks for no
# other host than the one that its SA is for.
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
. "$(dirname "$0")/dns_gateway.inc"

# behind ADDRESS WORDS-OF-IPSECKEY: one more address of h, and its record with g's key.
behind() {
	on h ip addr add "$1/24" dev front
	dns_add "${3:-10.in-addr.arpa}" "$(rev4 "$1"). IPSECKEY $2 $(gateway_key)"
}
says() { [[ $(explained "$1") == *"$2"* ]]; }
# refused ADDRESS WHY
refused() {
	! on a "$HFPROBE" udp "$1" --count 1 --wait-ms 3000 --complete >/dev/null || fail "$1 answered: $(explained "$1")"
	wait_for 20 says "$1" "$2" || fail "$1 is not refused because \"$2\": $(explained "$1")"
	ok "$1: $2"
}

gateway_world
g=$(addr g)
blocked=10.9.0.66 looped=10.9.0.77
behind 10.9.7.10 "10 1 4 $(addr a)"
behind 10.9.7.11 '10 1 4 127.0.0.1'
behind 10.9.7.12 '10 1 4 224.0.0.9'
behind 10.9.7.13 "10 1 4 $looped"
dns_add 10.in-addr.arpa "$(rev4 "$looped"). IPSECKEY 10 1 4 $g $(gateway_key)"
behind 10.9.7.14 "10 1 4 $blocked"
behind 10.9.7.15 '10 3 4 gw.fleet.lab.'
dns_add fleet.lab "gw A $g"
dns_zone open.lab unsigned
dns_add open.lab "gw A $g"
behind 10.9.7.16 '10 3 4 gw.open.lab.'
behind 10.9.7.17 '10 3 4 nowhere.fleet.lab.'
behind 10.9.7.18 "10 2 4 $(addr6 g)"
behind 10.9.7.19 "20 1 4 $blocked"
dns_add 10.in-addr.arpa "$(rev4 10.9.7.19). IPSECKEY 5 1 4 $g $(gateway_key)"
dns_zone 8.9.10.in-addr.arpa unsigned
behind 10.9.8.2 "10 1 4 $g" 8.9.10.in-addr.arpa
behind 10.9.6.2 "10 1 4 $g"
dns_serve
on g ip route add 10.9.8.2/32 via 10.9.7.2
on g ip route add 10.9.6.2/32 via 10.9.7.2
on a ip route add 10.9.8.0/24 via "$g"
on a ip route add 10.9.6.0/24 via "$g"
configure a private 10.9.8.0/24
configure a private-or-clear 10.9.6.0/24
configure a block "$blocked"
setting a private 'gateways = yes'
product a
capture_start

refused 10.9.7.10 'the gateway is this host'
refused 10.9.7.11 'its gateway, 127.0.0.1, is no address that a host can be reached at'
refused 10.9.7.12 'its gateway, 224.0.0.9, is no address that a host can be reached at'
refused 10.9.7.13 "its gateway, $looped, is itself behind a gateway"
refused 10.9.7.14 'the gateway is in group block'
refused 10.9.7.16 'its gateway, gw.open.lab., has addresses that nobody signs'
refused 10.9.7.17 'its gateway, nowhere.fleet.lab., has no address that can be used'
refused 10.9.7.18 "its gateway, $(addr6 g), is of the other family of addresses"
refused 10.9.8.2 "its key is that of a gateway, $g, which only the signed reverse tree may name"
check_eq "$(swan_count g ESTABLISHED)" 0 "IKE SAs that any of these led to"
# The group goes on in clear where it cannot be secure, and does not allow gateways.
on a "$HFPROBE" udp 10.9.6.2 --count 3 --wait-ms 20000 --complete >/dev/null || fail "not in clear: $(explained 10.9.6.2)"
says 10.9.6.2 'not used: its group does not allow it (gateways = no)' || fail "10.9.6.2: $(explained 10.9.6.2)"
ok "10.9.6.2: not allowed by its group, and in clear as that says"
capture_stop
judge --pair "$(addr a)" "$g" --expect 'marker=0,esp=0,ike=0'
judge --pair "$(addr a)" 10.9.6.2 --expect 'esp=0,clear>=6'
for i in 0 1 2 3 4 6 7 8; do judge --pair "$(addr a)" "10.9.7.1$i" --expect 'marker=0,clear=0,esp=0,ike=0'; done
judge --pair "$(addr a)" 10.9.8.2 --expect 'marker=0,clear=0,esp=0,ike=0'

echo "-- a name, and two gateways"
for to in 10.9.7.15 10.9.7.19; do
	on a "$HFPROBE" udp "$to" --count 5 --wait-ms 20000 --complete >/dev/null || fail "to $to: $(explained "$to")"
	says "$to" "gateway $g, in front of it" || fail "$to: $(explained "$to")"
	ok "$to: through $g"
done

echo "-- the gateway sends as one host what comes out of the other's tunnel"
mismatches() { on a awk '/^XfrmInStateMismatch/ { print $2 }' /proc/net/xfrm_stat; }
before=$(mismatches)
# ip -o: a policy is one line, whose reqid is that of the SA.
reqid=$(on g ip -o xfrm policy list dir out | sed -n 's/.*src 10\.9\.7\.15\/32 .*reqid \([0-9]*\) .*/\1/p')
[ -n "$reqid" ] || fail "no out-policy at the gateway: $(on g ip xfrm policy)"
prio=$(on g ip -o xfrm policy list dir out | sed -n 's/.*src 10\.9\.7\.19\/32 .*priority \([0-9]*\) .*/\1/p')
on g ip xfrm policy update src 10.9.7.19/32 dst "$(addr a)/32" dir out priority "$prio" \
	tmpl src "$g" dst "$(addr a)" proto esp reqid "$reqid" mode tunnel
! on a "$HFPROBE" udp 10.9.7.19 --count 3 --wait-ms 3000 --complete >/dev/null || fail "it spoke in another's name"
check "$(mismatches)" -gt "$before" "of them dropped, by the SA's selector"
on a "$HFPROBE" udp 10.9.7.15 --count 5 --wait-ms 20000 --complete >/dev/null || fail "the host itself: $(explained 10.9.7.15)"
ok "only its own host's packets arrive"
