#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
#
# 2,000 look-ups a second of addresses of which a signed zone proves that they are not there: how much longer the look-up of a host with a key takes
# meanwhile, and how much later the loop comes to what else it has to do (which is every other peer's set-up). Before and with the load, in the
# same run. Only discover/ and libunbound, with real servers and no IKE, so that it needs no kernel of the lab's own and runs with all processors.
#
# loaded: the zone proves by NSEC, of which one record denies many names, and libunbound goes on by it. nsec3: each address needs its own question and
# its own proof, which is more than one thread can check: what is left over is not asked for, and that must not hold up the loop either.
#
#     a 10.9.0.1 ---- [switch lan0] ---- ns-root, ns-tld, ns-zone, resolver
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/../net/agent.sh"
. "$(dirname "$0")/../net/dns.sh"
. "$(dirname "$0")/stat.sh"
need bridge cmd:ldns-signzone

RATE=2000 SECONDS_EACH=20
((${LAB_ROUNDS:-20} >= 5)) || SECONDS_EACH=3

lan a
host_key a
dns_world
key=$(ipseckey_of a)
for ((i = 0; i < 3 * SECONDS_EACH * 50; i++)); do
	dns_add 10.in-addr.arpa "$((i % 256)).$((i / 256)).72.10.in-addr.arpa. $key"
done
dns_serve 10.in-addr.arpa

# pace NAME PROBE-NUMBER RATE: hosts with keys from that number on.
pace() {
	local n=$(($2 * SECONDS_EACH * 50))
	on a "$B/tests/bench/bench_dns" pace "$(addr resolver)" "$DNS/root.anchor" "10.72.$((n / 256)).$((n % 256))" $SECONDS_EACH "$3" >"$WORK/pace"
	sed -n 's/^probe \([0-9.]*\).*/\1/p' "$WORK/pace" | summary 1e3 >"$WORK/probe"
	sed -n 's/^late //p' "$WORK/pace" | summary 1e3 >"$WORK/late"
	result "dns_pace.$1" "$(tail -n 1 "$WORK/pace" | jq -c --slurpfile probe "$WORK/probe" --slurpfile late "$WORK/late" \
		--argjson lost "$(grep -c 'probe .* lost' "$WORK/pace" || true)" '. + {probe_ms: $probe[0], late_ms: $late[0], probes_lost: $lost}')"
	dns_forget
}
pace calm 0 0
pace loaded 1 $RATE
dns_words 10.in-addr.arpa nsec3
dns_serve 10.in-addr.arpa
pace nsec3 2 $RATE
