#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 240
#
# Keys by name, for who has no say in the reverse tree but over a zone of his own: where the reverse tree gives the name and the name
# gives the address back, the key is proved. Where only a hint says which name an address has (a DNS answer that this host just got),
# it proves nothing: enough for auth = any, not for auth = verified, and never against what is proved.
#
#     a 10.9.0.1, b 10.9.0.2, c 10.9.0.3 ---- [switch lan0, capture] ---- ns-root, ns-tld, ns-zone, resolver
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:ldns-signzone cmd:drill

lan a b c
for h in a b c; do
	host_key "$h"
	configure "$h" private "$(addr a)" "$(addr6 a)" "$(addr b)" "$(addr6 b)"
	setting "$h" private-or-clear 'auth = any'
done
configure a private-or-clear "$(addr c)"
configure a private "$(addr6 c)"
dns_world a b c
neighbours a b
neighbours a c
# Nobody's key is in the reverse tree, and of c not even the name. mallory is somebody with a zone entry of his own.
for zone in 10.in-addr.arpa 9.0.d.f.ip6.arpa; do
	dns_drop "$zone" IPSECKEY
	dns_drop "$zone" 'c\.fleet\.lab'
done
dns_add fleet.lab "mallory A $(addr b)" "mallory $(ipseckey_of c)"
dns_serve
asks_dns a b c
serve b
serve c
for h in a b c; do product "$h"; done
capture_start

echo "-- proved by the reverse tree, whatever else was heard"
on a drill -Q "@$(addr resolver)" mallory.fleet.lab A
for to in "$(addr b)" "$(addr6 b)"; do
	out=$(on a "$HFPROBE" udp "$to" --count 5 --wait-ms 20000 --complete) || fail "to $to: $out"
	out=$(on a "$HOLDFAST" explain "$to" | tr -s '[:space:]' ' ')
	[[ $out == *'1 key at b.fleet.lab, which the reverse tree confirms'* ]] || fail "explain: $out"
	ok "$to: proved by name"
done
[[ $(on a "$HOLDFAST" peers) == *dnssec-forward* ]] || fail "peers does not name the source: $(on a "$HOLDFAST" peers)"
[[ $(on b "$HOLDFAST" explain "$(addr a)" | tr -s '[:space:]' ' ') == *'1 key at a.fleet.lab, which'* ]] || fail "b: $(on b "$HOLDFAST" explain "$(addr a)")"

echo "-- only a hint"
for type in A AAAA; do [[ $(on a drill "@$(addr resolver)" c.fleet.lab "$type") == *NOERROR* ]] || fail "no $type of c"; done
check "$(counter a answers)" -ge 3 "DNS answers that the agent of a heard"
out=$(on a "$HFPROBE" udp "$(addr c)" --count 5 --wait-ms 20000 --complete) || fail "to c: $out"
has_secure a 3 || fail "c is not secure: $(on a "$HOLDFAST" explain "$(addr c)")"
out=$(on a "$HOLDFAST" explain "$(addr c)" | tr -s '[:space:]' ' ')
[[ $out == *'1 key at c.fleet.lab, which nothing confirms'* ]] || fail "explain: $out"
ok "c, where auth = any: sealed"
out=$(on a "$HFPROBE" udp "$(addr6 c)" --count 1 --wait-ms 2000) || true
check_eq "$(json "$out" received)" 0 "answers from c, where auth = verified"
out=$(on a "$HOLDFAST" explain "$(addr6 c)" | tr -s '[:space:]' ' ')
[[ $out == *'1 key at c.fleet.lab, which nothing confirms'* ]] || fail "explain: $out"
capture_stop
judge --pair "$(addr a)" "$(addr b)" --expect 'marker=0,clear=0,esp>=10'
judge --pair "$(addr6 a)" "$(addr6 b)" --expect 'marker=0,clear=0,esp>=10'
judge --pair "$(addr a)" "$(addr c)" --expect 'marker=0,clear=0,esp>=10'
judge --pair "$(addr6 a)" "$(addr6 c)" --expect 'marker=0,clear=0,esp=0'
