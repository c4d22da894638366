#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 400
#
# Fault tour on the wire and of the agents: kill -9 of either agent while a pair is in each state in which it can be found waiting,
# a link that goes down and up, and 20 % loss with reordering. Each time the pair works afterwards, and nothing was ever
# clear. SECURE under a stream is life_restart's, any moment at all leak_kill's, a reboot life_reboot's.
#
#     a 10.9.0.1, 10.9.1.1-9 ---- [switch lan0, capture] ---- b 10.9.0.2, 10.9.2.1-9,      private to each other
#                                                                10.9.3.7-8: a has no key for them
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 bpf_tc ringbuf netem

lan a b
for ((i = 1; i <= 9; i++)); do
	on a ip addr add "10.9.1.$i/32" dev eth0
	on b ip addr add "10.9.2.$i/32" dev eth0
	on b ip addr add "10.9.3.$i/32" dev eth0
done
routes() {
	on a ip route replace 10.9.2.0/24 via "$(addr b)"
	on a ip route replace 10.9.3.0/24 via "$(addr b)"
	on b ip route replace 10.9.1.0/24 via "$(addr a)"
}
routes
neighbours a b
for h in a b; do
	host_key "$h"
	configure "$h" private 10.9.1.0/24 10.9.2.0/24 10.9.3.0/24
done
on a sh -c "echo '10.9.2.0/24 $(public_key b)' >>/etc/holdfast/pins"
on b sh -c "echo '10.9.1.0/24 $(public_key a)' >>/etc/holdfast/pins"
capture_start
for h in a b; do
	product "$h"
	serve "$h"
done

# lose OCTET-AT-46 MASK: of IKE to b, on the switch: messages whose exchange type and flags are these. Nothing: lose no more.
lose() {
	on switch tc qdisc del dev b clsact 2>/dev/null || true
	[ $# != 0 ] || return 0
	on switch tc qdisc add dev b clsact
	on switch tc filter add dev b egress protocol ip u32 match ip dport 500 0xffff match u16 "$1" "$2" at 46 action drop
}
state_of() { # ADDRESS OF B: as a sees it
	local out
	out=$(on a "$HOLDFAST" explain "$1" --json) || true
	[[ $out =~ \"state\":\ *\"([a-z]+)\" ]] && echo "${BASH_REMATCH[1]}"
}
is_in() { # ADDRESS STATE
	# A denial is over after two seconds: the next packet brings the next one.
	[ "$2" != denied ] || on a "$HFPROBE" udp "$1" --src "10.9.1.$pair" --count 1 --wait-ms 50 || true
	[ "$(state_of "$1")" = "$2" ]
}
works() { # ADDRESS OF B, OF A: both ways
	on a "$HFPROBE" udp "$1" --src "$2" --count 3 --wait-ms 3000 --strict &&
		on b "$HFPROBE" udp "$2" --src "$1" --count 3 --wait-ms 3000 --strict
}

# ---- kill -9, in a state, of one of the two
pair=0
for state in negotiate install secure denied; do
	for victim in a b; do
		pair=$((pair + 1))
		mine=10.9.1.$pair its=10.9.2.$pair from=a
		case $state in
		negotiate) lose 0 0 ;; # no IKE reaches b
		install)
			lose 0x2320 0xff20 # b never sees that a answered its IKE_AUTH
			from=b
			;;
		denied) its=10.9.3.$pair ;;
		esac
		if [ $from = a ]; then
			bg a first "$HFPROBE" udp $its --src $mine --count 1 --wait-ms 1500
		else
			bg b first "$HFPROBE" udp $mine --src $its --count 1 --wait-ms 1500
		fi
		wait_for 10 is_in $its $state || fail "$state: is $(state_of $its)"
		stop agent-$victim KILL
		lose
		if [ $state = denied ]; then
			on a sh -c "echo '$its/32 $(public_key b)' >>/etc/holdfast/pins"
			[ $victim = a ] || kill -HUP "$(pid_of agent-a)"
		fi
		product $victim
		wait_for 60 works $its $mine || fail "$victim was killed when the pair was $state: it does not work again"
		stop first
		ok "$victim killed when the pair was $state: it works"
	done
done

# ---- the link goes down and up, at the host and at the switch
for where in a:eth0 switch:a switch:b; do
	on "${where%:*}" ip link set dev "${where#*:}" down
	on a "$HFPROBE" udp 10.9.2.1 --src 10.9.1.1 --count 3 --wait-ms 200 >/dev/null 2>&1 || true
	on "${where%:*}" ip link set dev "${where#*:}" up
	routes
	wait_for 30 works 10.9.2.1 10.9.1.1 || fail "$where went down and up: the pair does not work"
	ok "$where down and up: the pair works"
done

# ---- 20 % loss and reordering, both ways, for a new pair and an old one: TCP sends again what is lost
for port in a b; do on switch tc qdisc add dev $port root netem loss 20% delay 10ms 8ms reorder 25% 50%; done
for i in 9 1; do
	out=$(on a "$HFPROBE" tcp "10.9.2.$i" --src "10.9.1.$i" --count 3 --bytes 20000 --wait-ms 60000 --strict) || fail "tcp in bad weather, pair $i: $out"
done
for port in a b; do on switch tc qdisc del dev $port root; done
works 10.9.2.9 10.9.1.9 || fail "the pair that was made in bad weather does not work"
ok "20 % loss and reordering: a new pair and an old one carried TCP"

capture_stop
judge --expect 'marker=0,clear=0,esp>100,truncated=0' >"$WORK/judged" || { cat "$WORK/judged"; fail "the wire"; }
