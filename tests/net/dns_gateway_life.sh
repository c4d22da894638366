#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign
# LAB-SETUP: dns
# LAB-TIMEOUT: 400
#
# The life of SAs with a gateway (dns_gateway.inc): they outlive the agent and are adopted by the next one, end when the gateway says so or falls
# silent, and are over when policy does not allow the way any more.
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
. "$(dirname "$0")/dns_gateway.inc"

gateway_world
behind_gateway "$(addr g)" "$(addr6 g)"
dns_serve 10.in-addr.arpa 9.0.d.f.ip6.arpa
setting a private 'gateways = yes'
product a
capture_start
for to in "${BEHIND[@]}"; do through "$to"; done
has_secure a 2 || fail "not both are secure: $(on a "$HOLDFAST" peers)"

echo "-- without an agent, and with the next one"
stop agent-a KILL
through "${BEHIND[0]}"
product a
wait_for 20 has_secure a 2 || fail "not adopted: $(on a "$HOLDFAST" peers)"
[[ $(on a "$HOLDFAST" peers --json) == *"\"gateway\": \"$(addr g)\""* ]] || fail "not adopted as behind a gateway: $(on a "$HOLDFAST" peers --json)"
for to in "${BEHIND[@]}"; do through "$to"; done
ok "adopted"

echo "-- ended by the gateway"
for to in "${BEHIND[@]}"; do
	on a "$HOLDFAST" forget "$to" >/dev/null
	through "$to"
done
# The newest ones: those of the agent that was killed have nobody who would answer.
for id in $(swan g --list-sas | sed -n 's/^behind: #\([0-9]*\), ESTABLISHED.*/\1/p' | sort -n | tail -2); do
	swan g --terminate --ike-id "$id" >/dev/null
done
wait_for 20 has_secure a 0 || fail "still secure: $(on a "$HOLDFAST" peers)"
for to in "${BEHIND[@]}"; do through "$to"; done
ok "the next packet makes new ones"

echo "-- it falls silent: its SAs are gone, and its daemon says nothing"
kill -STOP "$(pid_of charon-g)"
on g ip xfrm state flush
on a "$HFPROBE" udp "${BEHIND[0]}" --count 3 --wait-ms 100 >/dev/null
gave_up() { [[ $(explained "${BEHIND[0]}") == *'IKE: no answer'* ]]; }
asks() { on a "$HFPROBE" udp "${BEHIND[0]}" --count 1 --wait-ms 100 >/dev/null; gave_up; }
wait_for 120 asks || fail "it was not given up: $(explained "${BEHIND[0]}")"
kill -CONT "$(pid_of charon-g)"
through "${BEHIND[0]}"
ok "given up, and reached again when it is back"

echo "-- the policy does not allow it any more"
on a sed -i 's/^gateways = yes/gateways = no/' /etc/holdfast/holdfast.conf
kill -HUP "$(pid_of agent-a)"
wait_for 20 has_secure a 0 || fail "still secure: $(on a "$HOLDFAST" peers)"
! on a "$HFPROBE" udp "${BEHIND[0]}" --count 3 --wait-ms 3000 --complete >/dev/null || fail "still answered"
[[ $(explained "${BEHIND[0]}") == *'its group does not allow it (gateways = no)'* ]] || fail "explain: $(explained "${BEHIND[0]}")"
[ -z "$(on a ip xfrm state)" ] || fail "SAs were left: $(on a ip xfrm state)"
ok "refused, and said so"
capture_stop
sealed_to_gateway 60 60
