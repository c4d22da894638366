#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 400
#
# A key in use is asked for again before its record ends, and not of what libunbound remembers of it: the zone's servers are asked, and what they
# have changed meanwhile is seen before the old record would have ended.
#
#     a 10.9.0.1 ---- [switch lan0] ---- b 10.9.0.2, no agent; ns-root, ns-tld, ns-zone, asked by a itself
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
need bridge esp4 bpf_tc ringbuf cmd:ldns-signzone

lan a b
for h in a b; do host_key "$h"; done
configure a private "$(addr b)"
dns_world a b
neighbours a b
asks_dns a
on a sed -i 's/^dnssec = .*/dnssec = recursion/' /etc/holdfast/holdfast.conf
setting a discovery "dnssec_roots = $DNS/root.hints"
sed -i 's/ IPSECKEY/ 100&/' "$DNS/10.in-addr.arpa.zone"
dns_serve 10.in-addr.arpa
product a

told() { on a "$HOLDFAST" explain "$(addr b)" | tr -s '[:space:]' ' '; }
is_found() { [[ $(told) == *'1 key in the reverse tree, secure, for 100 s'* ]]; }
wait_for 60 is_found || fail "no key: $(told)"

dns_add 10.in-addr.arpa "$(rev4 "$(addr b)"). 100 IPSECKEY 10 0 4 . $(printf '%042dA=' 1)"
dns_serve 10.in-addr.arpa
# An answer from memory would say how much is left: 20 s, of which a minute is made.
is_asked() {
	out=$(told)
	[[ $out != *'in the reverse tree, secure, for 100 s'* || $out == *'2 keys'* ]]
}
wait_for 300 is_asked || fail "the second key was not seen: $(told)"
[[ $out == *'2 keys in the reverse tree, secure, for 100 s'* ]] || fail "not asked anew: $out"
ok "the zone's servers were asked, not what is remembered"
