#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign
# LAB-TIMEOUT: 400
#
# A flood of IKE_SA_INIT requests in the names of strangers brings the shield up; through it a peer that is the product and a
# strongSwan both become secure, in both families, with a cookie each. No answer is longer than its question, none goes twice, and the
# flood hardly reaches the agent. The shield comes down by itself, outlives its agent, is taken over by the next one, and goes with
# `shield = off` and with `holdfast unload`. An XDP program of somebody else stays.
#
#     a 10.9.0.1, shield = on ---- [switch lan0, capture] ---- b 10.9.0.2 the product, c 10.9.0.3 strongSwan, s 10.9.0.4 the stranger
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/foreign.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:bpftool

lan a b c s
for h in b c s; do neighbours a "$h"; done
private_hosts a b
make_key c ed25519
pin a b
pin b a
on a sh -c "echo '$(addr c) ed25519:$(openssl pkey -in "$WORK/c.pem" -pubout -outform DER | tail -c 32 | base64) name=c.lab' >>/etc/holdfast/pins"
setting a agent 'shield = on'
on a openssl pkey -in /etc/holdfast/key.pem -pubout >"$WORK/a.pub"

# What the shield answers goes back the way it came: nobody else has these addresses.
strongswan c a
on c sed -i "s/id = a.lab/id = $(addr a)/" /run/swanctl/swanctl.conf
swan c --load-all --clear >/dev/null

# shield HOST KEY: of the shield, from the agent.
shield() {
	local all
	all=$(on "$1" "$HOLDFAST" status --json) || fail "status of $1: $all"
	all=${all//[[:space:]]/}
	[[ $all == *'"shield":'* ]] || { echo absent; return; }
	json "${all#*\"shield\":}" "$2"
}
is_shield() { [ "$(shield "$1" "$2")" = "$3" ]; }
has_more() { [ "$(shield "$1" "$2")" -gt "$3" ]; }

product a
wait_for 20 is_shield a eth0 generic
check_eq "$(shield a up)" 0 "up before anybody came"
on a "$HOLDFAST" doctor >"$WORK/doctor" || true
grep -q 'ok *shield in front of IKE (XDP) (eth0 generic alone' "$WORK/doctor" || fail "doctor: $(cat "$WORK/doctor")"

bg a watch "$HOLDFAST" watch --json
capture_start --snaplen 400
bg s flood4 "$HFPROBE" strangers "$(addr a)" --src 198.18.0.1 --hosts 500 --count 1000000 --rate 300
bg s flood6 "$HFPROBE" strangers "$(addr6 a)" --src 2001:db8::1 --hosts 60000 --count 1000000 --rate 300
wait_for 60 is_shield a up 1
product b
serve b --no-echo
serve a
on b "$HFPROBE" udp "$(addr a)" --count 3 --wait-ms 30000 --strict >/dev/null
on b "$HFPROBE" udp "$(addr6 a)" --count 3 --wait-ms 30000 --strict >/dev/null
wait_for 20 has_secure b 2
check_eq "$(shield a up)" 1 "up while the product came through"
check "$(shield a cookies_good)" -ge 2 "cookies that came back"

# strongSwan comes through, knows a by its address, and is secure with it.
swan c --initiate --child peer >"$WORK/initiate.log" 2>&1 || fail "strongSwan did not come through: $(tail -n 3 "$WORK/initiate.log")"
on c "$HFPROBE" udp "$(addr a)" --count 3 --wait-ms 30000 --strict >/dev/null
grep -q 'parsed IKE_SA_INIT response 0 \[ N(COOKIE) \]' "$WORK/charon-c.log" || fail "strongSwan was not asked for a cookie"
check_eq "$(shield a up)" 1 "up while strongSwan came through"
wait_for 60 has_more a cookies_sent 1000
stop flood4
stop flood6
capture_stop
says() { on a "$HOLDFAST" status | tr -s '\n ' ' ' | grep " shield $1" >/dev/null || fail "status: $(on a "$HOLDFAST" status)"; }
says 'up (eth0 generic alone[^)]*): [0-9]* asked for a cookie, [0-9]* brought it'

# Each answer to a stranger after its question, no longer than that, and once. The engine, too, answered some before the shield was up.
"$WIREJUDGE" --list "$WORK/wire.pcap" | awk -v own4="$(addr a)" -v own6="$(addr6 a)" '
	{ $6 = substr($6, 5) + 0 }
	$3 == own4 || $3 == own6 { asked[$2]++; octets[$2] += $6 }
	$2 == own4 || $2 == own6 {
		if ($3 !~ /^(198\.18\.|198\.19\.|2001:db8:)/)
			next
		answers++
		if (answered[$3]++ >= asked[$3] || (told[$3] += $6) > octets[$3])
			bad++
		shortest = !shortest || $6 < shortest ? $6 : shortest
	}
	END { print answers + 0, bad + 0, shortest + 0 }' >"$WORK/answers"
read -r answers bad shortest <"$WORK/answers"
check "$answers" -ge 1000 "answers to strangers"
check_eq "$bad" 0 "answers that were longer than the question, or came twice"
# In a dispatcher, where the kernel has one, frames keep their length.
if on a test -e "/sys/fs/bpf/holdfast/links/shield_$(on a cat /sys/class/net/eth0/ifindex)"; then
	check_eq "$shortest" 90 "octets of an answer: Ethernet, IPv4, UDP, N(COOKIE)"
fi

# It comes down by itself, and says so.
wait_for 60 is_shield a up 0
says 'down (eth0 generic alone'
told() { grep "shield.*$1" "$WORK/watch.log" >/dev/null; }
wait_for 20 told 'down: [0-9]* were asked for a cookie, [0-9]* brought it'
told 'up, everybody brings a cookie: too many' || fail "watch: $(grep shield "$WORK/watch.log")"
stop watch

# Without its agent it stays; the next one finds its counters.
before=$(shield a cookies_sent)
stop agent-a KILL
on a ip link show eth0 | grep xdpgeneric >/dev/null || fail "the shield went with its agent"
on a bpftool map dump pinned /sys/fs/bpf/holdfast/hf_shield_count | grep '"cookies_sent":' >/dev/null || fail "counters without names"
product a
check "$(shield a cookies_sent)" -ge "$before" "cookies counted over a restart"
wait_for 20 is_shield a eth0 generic
on b "$HFPROBE" udp "$(addr a)" --count 3 --wait-ms 30000 --strict >/dev/null

# An interface that comes later gets it too, from an agent that is confined by then.
on a ip link add late type dummy
wait_for 20 is_shield a late generic
on a ip link del late
forgot_late() { [[ $(on a "$HOLDFAST" status --json) != *'"late"'* ]]; }
wait_for 20 forgot_late

# Off takes it away at the next start; so does unload.
stop agent-a
on a sed -i 's/shield = on/shield = off/' /etc/holdfast/holdfast.conf
product a
check_eq "$(shield a up)" absent "shield of an agent that wants none"
! on a ip link show eth0 | grep xdp >/dev/null || fail "the shield of the agent before is still there"
check_eq "$(on a ls /sys/fs/bpf/holdfast | grep -c shield || true)" 0 "its maps"
stop agent-a
on a sed -i 's/shield = off/shield = on/' /etc/holdfast/holdfast.conf
product a
on a ip link show eth0 | grep xdpgeneric >/dev/null || fail "no shield after it was wanted again"
stop agent-a
bg s flood "$HFPROBE" strangers "$(addr a)" --src 198.18.0.1 --hosts 500 --count 1000000 --rate 300
nap 1
on a "$HOLDFAST" unload
stop flood
! on a ip link show eth0 | grep xdp >/dev/null || fail "unload left the shield"
! on a test -e /sys/fs/bpf/holdfast || fail "unload left something: $(on a ls /sys/fs/bpf/holdfast)"

# An XDP program of somebody else stays, the agent runs without a shield there and says it.
on a mkdir -p /sys/fs/bpf/foreign
on a bpftool prog loadall "$B/bpf/shield.bpf.o" /sys/fs/bpf/foreign type xdp
on a ip link set eth0 xdpgeneric pinned /sys/fs/bpf/foreign/hf_shield
product a
check_eq "$(shield a eth0)" none "shield where somebody else's program is"
grep -q 'eth0: no shield in front of IKE there: it has an XDP program of somebody else' "$WORK/agent-a.log" || fail "not said"
on a ip link show eth0 | grep xdpgeneric >/dev/null || fail "somebody else's program is gone"
answered() { on a "$HFPROBE" ping "$(addr b)" --count 1 --wait-ms 5000 --strict >/dev/null; }
wait_for 60 answered
