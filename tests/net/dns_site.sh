#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 240
#
# Who is asked, and whom this host trusts. A site of its own: one server, one signed reverse zone, its key as the only trust anchor, and no
# root to be reached. Then the other end: no resolver at all, the zones' own servers are asked from the roots on.
#
#     a 10.9.0.1, b 10.9.0.2 ---- [switch lan0, capture] ---- ns-root, ns-tld, ns-zone, resolver
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
need bridge esp4 bpf_tc ringbuf cmd:ldns-signzone

lan a b
private_hosts a b
dns_world a b
neighbours a b
serve b
capture_start

echo "-- a site of its own"
dns_silent ns-root
dns_silent ns-tld
for h in a b; do
	on "$h" cp /etc/holdfast/holdfast.conf /etc/holdfast/plain.conf
	on "$h" cp "$DNS/10.in-addr.arpa.anchor" /etc/holdfast/anchors
	setting "$h" policy "resolvers = $(addr ns-zone)"
	setting "$h" discovery 'dnssec = resolvers'
	setting "$h" discovery 'dnssec_anchors = /etc/holdfast/anchors'
	product "$h"
done
out=$(on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --complete) || fail "to b: $out"
has_secure a 1 || fail "b is not secure: $(on a "$HOLDFAST" explain "$(addr b)")"
[[ $(on a "$HOLDFAST" peers) == *dnssec-reverse* ]] || fail "peers: $(on a "$HOLDFAST" peers)"
ok "found with the site's own trust anchor"

echo "-- from the roots on"
dns_awake ns-root
dns_awake ns-tld
for h in a b; do
	stop "agent-$h"
	on "$h" "$HOLDFAST" unload >/dev/null
	on "$h" sh -c 'rm -rf /etc/holdfast/state; cp /etc/holdfast/plain.conf /etc/holdfast/holdfast.conf'
	on "$h" cp "$DNS/root.anchor" /etc/holdfast/anchors
	on "$h" cp "$DNS/root.hints" /etc/holdfast/roots
	setting "$h" policy 'resolvers = none'
	setting "$h" discovery 'dnssec = recursion'
	setting "$h" discovery 'dnssec_anchors = /etc/holdfast/anchors'
	setting "$h" discovery 'dnssec_roots = /etc/holdfast/roots'
	# The servers' packets are nobody's exception.
	configure "$h" clear "$(addr ns-root)" "$(addr ns-tld)" "$(addr ns-zone)"
	product "$h"
done
out=$(on b "$HFPROBE" udp "$(addr a)" --count 1 --wait-ms 20000) || true
wait_for 20 has_secure b 1 || fail "a is not secure: $(on b "$HOLDFAST" explain "$(addr a)")"
[[ $(on b "$HOLDFAST" peers) == *dnssec-reverse* ]] || fail "peers: $(on b "$HOLDFAST" peers)"
ok "found by recursion"
capture_stop
judge --pair "$(addr a)" "$(addr b)" --expect 'marker=0,clear=0,esp>=10'

echo "-- mistakes in the files"
for h in a b; do stop "agent-$h"; done
on a sh -c 'echo "this is. no anchor" >>/etc/holdfast/anchors'
out=$(on a "$HOLDFAST" run --foreground 2>&1) && fail "it starts with a wrong trust anchor"
[[ $out == *'/etc/holdfast/anchors:2: this is no trust anchor'* ]] || fail "it says: $out"
on a sh -c ': >/etc/holdfast/anchors'
out=$(on a "$HOLDFAST" run --foreground 2>&1) && fail "it starts without a trust anchor"
[[ $out == *'/etc/holdfast/anchors: there is no trust anchor in it'* ]] || fail "it says: $out"
on a rm /etc/holdfast/anchors
out=$(on a "$HOLDFAST" run --foreground 2>&1) && fail "it starts without the file"
[[ $out == *'/etc/holdfast/anchors: '* ]] || fail "it says: $out"
