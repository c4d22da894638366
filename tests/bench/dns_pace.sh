#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
#
# 2,000 look-ups a second of addresses of which a signed zone proves that they are not there: how much longer the look-up of a host with a key takes
# meanwhile, and how much later the loop comes to what else it has to do (which is every other peer's set-up). Without the load and with it, in turn.
# Only discover/ and libunbound, with real servers and no IKE, so that it needs no kernel of the lab's own and runs with all processors.
#
# What else the machine does makes the loop late, too: "starved" is the time that it could have gone on and had no processor, "turn" what one turn of it
# takes of one, and "held_up" how many questions it slept in.
#
# loaded: the zone proves by NSEC, of which one record denies many names, and libunbound goes on by it. nsec3: each address needs its own question and
# its own proof, which may be more than the machine can check: what is left over is not asked for, and that must not hold up the loop either.
#
#     a 10.9.0.1 ---- [switch lan0] ---- ns-root, ns-tld, ns-zone, resolver
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/../net/agent.sh"
. "$(dirname "$0")/../net/dns.sh"
. "$(dirname "$0")/stat.sh"
need bridge cmd:ldns-signzone

RATE=2000 ROUNDS=4 SECONDS_EACH=5
((${LAB_ROUNDS:-20} >= 5)) || ROUNDS=1 SECONDS_EACH=3
PROBES=$((SECONDS_EACH * 50 + 1)) # in each part

lan a
host_key a
dns_world
key=$(ipseckey_of a)
for ((i = 0; i < 4 * ROUNDS * PROBES; i++)); do
	dns_add 10.in-addr.arpa "$((i % 256)).$((i / 256)).72.10.in-addr.arpa. $key"
done
dns_serve 10.in-addr.arpa

# pace NAME RATE: one part more of NAME. Hosts with keys that nobody was asked about before.
NEXT=0
pace() {
	on a "$B/tests/bench/bench_dns" pace "$(addr resolver)" "$DNS/root.anchor" "10.72.$((NEXT / 256)).$((NEXT % 256))" $SECONDS_EACH "$2" >>"$WORK/pace.$1"
	NEXT=$((NEXT + PROBES))
	dns_forget
}

# samples NAME KIND: their summary in milliseconds.
samples() { sed -n "s/^$2 \([0-9.]*\).*/\1/p" "$WORK/pace.$1" | summary 1e3; }
tell() {
	result "dns_pace.$1" "$(grep '^{' "$WORK/pace.$1" | jq -cs --argjson probe "$(samples "$1" probe)" --argjson late "$(samples "$1" late)" \
		--argjson turn "$(samples "$1" turn)" --argjson lost "$(grep -c 'probe .* lost' "$WORK/pace.$1" || true)" \
		'reduce .[] as $part ({}; reduce ($part | keys[]) as $key (.; .[$key] += $part[$key]))
		+ {probe_ms: $probe, late_ms: $late, turn_ms: $turn, probes_lost: $lost}')"
}

for ((r = 0; r < ROUNDS; r++)); do
	pace calm 0
	pace loaded $RATE
done
dns_words 10.in-addr.arpa nsec3
dns_serve 10.in-addr.arpa
for ((r = 0; r < ROUNDS; r++)); do
	pace calm 0
	pace nsec3 $RATE
done
for part in calm loaded nsec3; do tell $part; done
