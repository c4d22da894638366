#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 500
#
# A host whose reverse tree is nobody's is found by the name that was asked for: the agent sees the resolver's answer come in, asks
# for keys at that name, and validates. Without a name, or where only proof counts, it is not found. IPv4, IPv6, hosts(5), and the name
# that a peer says it has when it begins IKE. What was found before the name was heard is not believed any longer.
#
#     a 10.9.0.1, b 10.9.0.2, c 10.9.0.3, d 10.9.0.4 ---- [switch lan0, capture] ---- name servers, resolver 10.9.0.8
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/ikepeer.sh"
. "$(dirname "$0")/dns.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:ldns-signzone cmd:drill

lan a b c d
private_hosts a b c d
dns_world a b c d
# They have names with keys, and nothing in the reverse tree.
for h in b c d; do
	dns_drop 10.in-addr.arpa "^$(rev4 "$(addr $h)")"
	dns_drop 9.0.d.f.ip6.arpa "^$(rev6 "$(addr6 $h)")"
done
dns_add fleet.lab "mallory A $(addr c)" "mallory $(ipseckey_of d)"
dns_serve 10.in-addr.arpa 9.0.d.f.ip6.arpa fleet.lab
for h in b c d; do neighbours a $h; done
asks_dns a b c
on a sed -i "s/^resolvers = .*/& $(addr6 resolver)/" /etc/holdfast/holdfast.conf
setting a private 'auth = any'
for h in b c; do serve $h; done
for h in a b c; do product $h; done
capture_start

reached() { on a "$HFPROBE" udp "$1" --count 3 --wait-ms 8000 --complete; }
out=$(reached "$(addr c)") && fail "c is reached though nobody said its name: $out"
ok "no name, no key: c is not reached"

on a drill "@$(addr resolver)" b.fleet.lab A >/dev/null
wait_for 10 eval '[ "$(json "$(status_of a)" hints)" = 1 ]' || fail "no hint: $(status_of a)"
out=$(reached "$(addr b)") || fail "b by its name: $out; $(on a "$HOLDFAST" explain "$(addr b)")"
out=$(on a "$HOLDFAST" explain "$(addr b)" | tr -s '[:space:]' ' ')
[[ $out == *b.fleet.lab* ]] || fail "explain does not tell of the name: $out"
[[ $(on a "$HOLDFAST" peers "$(addr b)" --json) == *opportunistic* ]] || fail "b: $(on a "$HOLDFAST" peers "$(addr b)" --json)"
ok "b is reached by the name that was asked for"

on a drill "@$(addr6 resolver)" b.fleet.lab AAAA >/dev/null
wait_for 10 eval '[ "$(json "$(status_of a)" hints)" = 2 ]' || fail "no hint: $(status_of a)"
out=$(reached "$(addr6 b)") || fail "b by its name, IPv6: $out; $(on a "$HOLDFAST" explain "$(addr6 b)")"
ok "b is reached by IPv6, asked for over IPv6"

# That c has no key was proved, for longer than this scenario waits. Its name makes that doubtful.
[[ $(on a "$HOLDFAST" explain "$(addr c)" | tr -s '[:space:]' ' ') == *'proved that the reverse tree has no key'* ]] ||
	fail "c: $(on a "$HOLDFAST" explain "$(addr c)")"
# Somebody else's name with c's address, and with another key, is heard before: neither is proved, so both are tried.
on a drill "@$(addr resolver)" mallory.fleet.lab A >/dev/null
on a drill "@$(addr resolver)" c.fleet.lab A >/dev/null
reached_now() { out=$(on a "$HFPROBE" udp "$(addr c)" --count 3 --wait-ms 3000 --complete); }
wait_for 150 reached_now || fail "c by a name that came later: $out; $(on a "$HOLDFAST" explain "$(addr c)")"
[[ $(on a "$HOLDFAST" explain "$(addr c)" | tr -s '[:space:]' ' ') == *'DNSSEC: 2 keys at'*'and other names, which nothing confirms'* ]] ||
	fail "not both names: $(on a "$HOLDFAST" explain "$(addr c)")"
ok "c is reached by a name that came after it was found to have no key"

# d says its name itself, and it is the peer's word that is looked up. Another's name does not have the address.
on a openssl pkey -in /etc/holdfast/key.pem -pubout -out "$WORK/a.pub"
d_begins() { # NAME
	ikepeer d --id "$1" --key /etc/holdfast/key.pem --peer-key "$WORK/a.pub" --connect "$(addr a)"
}
d_begins b.fleet.lab
wait_for 30 dns_says agent-a "$(addr d): negotiation failed: authentication failed" || fail "a has not refused d: $(on a "$HOLDFAST" explain "$(addr d)")"
ok "with the name of another host d is not accepted"
d_begins d.fleet.lab
hears d ^UP
out=$(on a "$HOLDFAST" explain "$(addr d)" | tr -s '[:space:]' ' ')
[[ $out == *"for the peer's IKE: DNSSEC: 1 key at d.fleet.lab, which nothing confirms"* ]] || fail "explain: $out"
ok "d is accepted by the name that it says"

# A name that nobody asked for, but that the operator wrote down.
before=$(json "$(status_of a)" hints)
echo "$(addr6 c) c.fleet.lab" | on a tee -a /etc/hosts >/dev/null
kill -HUP "$(pid_of agent-a)"
wait_for 10 eval '[ "$(json "$(status_of a)" hints)" = $((before + 1)) ]' || fail "hosts(5): $(status_of a)"
out=$(reached "$(addr6 c)") || fail "c by hosts(5): $out; $(on a "$HOLDFAST" explain "$(addr6 c)")"
ok "c is reached by a name in hosts(5)"
capture_stop
for h in b c; do
	judge --pair "$(addr a)" "$(addr $h)" --expect 'marker=0,clear=0'
	judge --pair "$(addr6 a)" "$(addr6 $h)" --expect 'marker=0,clear=0,esp>0'
done
