#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign dns
# LAB-TIMEOUT: 300
#
# A host behind a gateway (dns_gateway.inc), which the signed reverse tree names and the group allows: the first packets wait, and
# leave as ESP to the gateway, whatever group that is in; what comes out of its tunnel arrives. A second host has SAs of its own; all are
# rekeyed by the gateway.
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
. "$(dirname "$0")/dns_gateway.inc"

# No pair with the gateway itself: its ESP is not that of a lost peer.
only_hosts() { [[ $(on a "$HOLDFAST" peers --json) != *'"remote": "'"$1"'"'* ]] || fail "the gateway $1 became a peer: $(on a "$HOLDFAST" peers)"; }

gateway_world
behind_gateway "$(addr g)" "$(addr6 g)"
dns_add 10.in-addr.arpa "$(rev4 10.9.7.3). IPSECKEY 10 1 4 $(addr g) $(gateway_key)"
dns_serve 10.in-addr.arpa 9.0.d.f.ip6.arpa
configure a private "$(addr g)" "$(addr6 g)"
setting a private 'gateways = yes'
product a
capture_start
for to in "${BEHIND[@]}"; do
	out=$(on a "$HFPROBE" udp "$to" --count 20 --wait-ms 20000 --complete) || fail "to $to: $out $(explained "$to")"
	through "$to"
	ok "$to: held and later packets are answered"
done
[[ $(explained "${BEHIND[0]}") == *"its gateway, $(addr g), in the reverse tree, secure"*"gateway $(addr g), in front of it"*"IKE starts with the gateway $(addr g)"* ]] ||
	fail "explain does not tell of the gateway: $(explained "${BEHIND[0]}")"
[[ $(on a "$HOLDFAST" peers --json) == *"\"gateway\": \"$(addr6 g)\""* ]] || fail "peers does not tell of the gateway"
only_hosts "$(addr g)"
only_hosts "$(addr6 g)"
check "$(counter a in_decrypted)" -ge 40 "packets known to come out of the tunnels"
check_eq "$(counter a in_drop_clear)" 0 "of them taken for clear"

echo "-- another host behind the same gateway: SAs of its own"
on h ip addr add 10.9.7.3/24 dev front
through 10.9.7.3
check_eq "$(swan_count g ESTABLISHED)" 3 "IKE SAs, one for each host behind it"
on a "$HOLDFAST" forget 10.9.7.3 >/dev/null
wait_for 20 swan_has g ESTABLISHED 2
ok "one ended by us, the gateway was told"
through "${BEHIND[0]}"

echo "-- rekeyed by the gateway"
is_rekeyed() { [[ $(explained "$1") == *rekeyed:* ]]; }
swan g --rekey --child behind >/dev/null
for to in "${BEHIND[@]}"; do
	wait_for 20 is_rekeyed "$to" || fail "no Child SA rekeyed: $(explained "$to")"
	through "$to"
done
swan g --rekey --ike behind >/dev/null
wait_for 20 swan_has g ESTABLISHED 2
swan g --rekey --child behind >/dev/null
for to in "${BEHIND[@]}"; do through "$to"; done
ok "Child SAs and IKE SAs"
[[ $(on a ip xfrm state) == *"sel src ${BEHIND[0]}/32 dst $(addr a)/32"* ]] || fail "its inbound SA is for more than the host: $(on a ip xfrm state)"

capture_stop
sealed_to_gateway 80 60
