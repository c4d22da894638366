#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 900
#
# Servers that do not answer as they should, for a host in private-or-clear that nobody remembers: what cannot be asked is neither a key nor
# a proof that there is none, packets do not wait for it for ever, and an answer that comes late is not lost: IKE starts with the next packet.
#
#     a 10.9.0.1 ---- [switch lan0] ---- b 10.9.0.2, 10.9.0.101 - .103, no agent; ns-root, ns-tld, ns-zone, resolver
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
need bridge esp4 bpf_tc ringbuf netem nat cmd:ldns-signzone

lan a b
host_key a
host_key b
for i in {101..103}; do on b ip addr add "10.9.0.$i/24" dev eth0; done
dns_world a
neighbours a b
configure a private-or-clear 10.9.0.0/24
asks_dns a
serve b
for i in {101..103}; do dns_add 10.in-addr.arpa "$(rev4 "10.9.0.$i"). $(ipseckey_of b)"; done
# One of them with more than a datagram takes.
awk -v name="$(rev4 10.9.0.101)" 'BEGIN {
	for (; i < 7; i++) {
		printf "%s. IPSECKEY 10 0 99 . %04d", name, i
		for (j = 0; j < 100; j++) printf "AAAA"
		print ""
	}
}' >>"$DNS/10.in-addr.arpa.zone"
dns_serve 10.in-addr.arpa
product a

explains() { [[ $(on a "$HOLDFAST" explain "$1" | tr -s '[:space:]' ' ') == *"$2"* ]]; }

# unanswered N: a datagram there passes in clear, when it has waited for an answer.
unanswered() {
	local to=10.9.0.$1 out
	out=$(on a "$HFPROBE" udp "$to" --count 1 --wait-ms 30000 2>&1) || true
	check_eq "$(json "$out" received)" 1 "answers from $to"
	explains "$to" "no source could tell the peer's key" || fail "explain: $(on a "$HOLDFAST" explain "$to")"
	! explains "$to" 'IKE starts' || fail "IKE started: $(on a "$HOLDFAST" explain "$to")"
}

# found N: it is asked again, while packets to it come now and then, and IKE starts, which nobody there answers.
found() {
	local to=10.9.0.$1
	started() {
		on a "$HFPROBE" udp "$to" --count 1 --wait-ms 1000 >/dev/null 2>&1 || true
		explains "$to" 'IKE starts, gives up'
	}
	wait_for 300 started || fail "IKE did not start: $(on a "$HOLDFAST" explain "$to")"
	explains "$to" '1 key in the reverse tree, secure' || fail "explain: $(on a "$HOLDFAST" explain "$to")"
}

echo "-- the answer is truncated, and there is no TCP"
dns_deaf ns-zone
unanswered 101
dns_hears ns-zone
found 101

echo "-- each answer takes 10 s"
dns_slow ns-zone 10000
dns_forget
unanswered 102
found 102
dns_slow ns-zone 0

echo "-- nobody answers"
dns_silent ns-zone
dns_forget
unanswered 103
dns_awake ns-zone
found 103
