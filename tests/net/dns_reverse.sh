#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 300
#
# Two hosts that know nothing of each other find their keys in the reverse tree: signed IPSECKEY records, validated by each host from
# the root on, through a resolver that lies in the same private prefix. The first packets wait and leave sealed, IPv4 and IPv6,
# and either host may begin. One of five keys is as good as the only one. What was found is used while it lives, without a server.
#
#     a 10.9.0.1, b 10.9.0.2 ---- [switch lan0, capture] ---- ns-root, ns-tld, ns-zone, resolver 10.9.0.3 - .6
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:ldns-signzone

lan a b
private_hosts a b
dns_world a b
neighbours a b
# Of both hosts' IPv6 addresses: four keys of nobody's, and theirs.
for h in a b; do
	for i in 1 2 3 4; do
		dns_add 9.0.d.f.ip6.arpa "$(rev6 "$(addr6 $h)"). IPSECKEY 10 0 4 . $(printf '%042dA=' "$i")"
	done
done
dns_serve 9.0.d.f.ip6.arpa
asks_dns a b
serve a
serve b
product a
product b
capture_start

for to in "$(addr b)" "$(addr6 b)"; do
	out=$(on a "$HFPROBE" udp "$to" --count 20 --wait-ms 20000 --complete) || fail "to $to: $out"
	echo "first answer from $to after $(json "$out" first_reply_us) us"
done
has_secure a 2 || fail "not both pairs of a are secure: $(on a "$HOLDFAST" peers)"
tells() { # ADDRESS WORDS
	out=$(on a "$HOLDFAST" explain "$1" | tr -s '[:space:]' ' ')
	[[ $out == *"$2"* ]] || fail "explain does not say where the key is from: $out"
	ok "explain $1: $2"
}
tells "$(addr b)" '1 key in the reverse tree, secure'
tells "$(addr6 b)" '5 keys in the reverse tree, secure'
[[ $(on a "$HOLDFAST" peers) == *dnssec-reverse* ]] || fail "peers does not name the source: $(on a "$HOLDFAST" peers)"
[[ $(on b "$HOLDFAST" explain "$(addr a)" | tr -s '[:space:]' ' ') == *"for the peer's IKE: DNSSEC: 1 key"* ]] ||
	fail "b did not ask for a's key: $(on b "$HOLDFAST" explain "$(addr a)")"

echo "-- once more, while nobody answers"
for h in "${DNS_SERVERS[@]}"; do dns_silent "$h"; done
dns_forget
for to in "$(addr b)" "$(addr6 b)"; do
	on a "$HOLDFAST" forget "$to" >/dev/null
	out=$(on a "$HFPROBE" udp "$to" --count 5 --wait-ms 20000 --complete) || fail "to $to, from memory: $out; $(on a "$HOLDFAST" explain "$to")"
done
has_secure a 2 || fail "not both pairs of a are secure: $(on a "$HOLDFAST" peers)"
for h in "${DNS_SERVERS[@]}"; do dns_awake "$h"; done

echo "-- b begins, with nothing left of before"
for h in a b; do
	stop "agent-$h"
	on "$h" "$HOLDFAST" unload >/dev/null
	on "$h" rm -rf /etc/holdfast/state
done
product a
product b
out=$(on b "$HFPROBE" udp "$(addr6 a)" --count 20 --wait-ms 20000 --complete) || fail "from b: $out"
has_secure b 1 || fail "b: $(on b "$HOLDFAST" peers)"
out=$(on b "$HFPROBE" tcp "$(addr a)" --wait-ms 20000 --strict) || fail "from b: $out"
has_secure b 2 || fail "b: $(on b "$HOLDFAST" peers)"
capture_stop
judge --pair "$(addr a)" "$(addr b)" --expect 'marker=0,clear=0,esp>=40,espdup=0'
judge --pair "$(addr6 a)" "$(addr6 b)" --expect 'marker=0,clear=0,esp>=80,espdup=0'
