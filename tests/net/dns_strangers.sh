#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 300
#
# Nobody can use this host to ask the DNS: IKE_SA_INIT requests in the names of thousands make it ask nothing, with cookies or without, since whoever only writes a
# source address never gets to IKE_AUTH. A peer that does is asked about, and is found.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- d 10.9.0.2, s 10.9.0.3 the stranger; ns-root, ns-tld, ns-zone, resolver
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/ikepeer.sh"
. "$(dirname "$0")/dns.sh"
need bridge esp4 bpf_tc ringbuf cmd:ldns-signzone

lan a d s
private_hosts a d
configure a private 198.18.0.0/15
dns_world a d
neighbours a d
neighbours a s
asks_dns a
product a

to_resolver() { "$WIREJUDGE" --list "$WORK/wire.pcap" | awk -v from="$(addr a)" -v to="$(addr resolver)" '$2 == from && $3 == to { n++ } END { print n + 0 }'; }
# What discovery was asked, and what the engine did.
told() { json "$(on a "$HOLDFAST" status --json | tr -d '[:space:]' | sed 's/.*"'"$1"'"://')" "$2"; }

capture_start
on s "$HFPROBE" strangers "$(addr a)" --src 198.18.0.1 --hosts 3000 --count 3000 --rate 300
has_answered() { [ "$(told messages cookies_sent)" -gt 100 ]; }
wait_for 60 has_answered || fail "the engine was not reached: $(on a "$HOLDFAST" status)"
capture_stop
check "$(told ike half_open)" -ge 10 "half-open SAs of strangers"
check_eq "$(told discovery asked)" 0 "questions for a stranger's key"
check_eq "$(to_resolver)" 0 "datagrams to the resolver"

capture_start
on a openssl pkey -in /etc/holdfast/key.pem -pubout -out "$WORK/a.pub"
ikepeer d --key /etc/holdfast/key.pem --peer-key "$WORK/a.pub" --connect "$(addr a)"
hears d ^UP
capture_stop
check "$(told discovery asked)" -ge 1 "questions for the key of a peer that came back"
check "$(to_resolver)" -ge 1 "datagrams to the resolver"
[[ $(on a "$HOLDFAST" explain "$(addr d)" | tr -s '[:space:]' ' ') == *"for the peer's IKE: DNSSEC: 1 key in the reverse tree, secure"* ]] ||
	fail "explain: $(on a "$HOLDFAST" explain "$(addr d)")"
