#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign
# LAB-TIMEOUT: 1500
#
# The first packet to a host that was not spoken to before, from sending it to its answer, with everything between: key exchange,
# SAs, release. One datagram, one ping, one TCP connect (SYN to SYN and ACK), IPv4 and IPv6; Holdfast and the other ways to protect
# hosts that nobody configured one by one, in turn, in the same run on the same kernel:
#
#     a -- b  Holdfast: `holdfast run`, keys from a signed directory, everything private
#     c -- d  strongSwan as Debian has it, one trap for any host, with xfrm_larval_drop=1 (the kernel's default) and 0
#     e -- f  Libreswan as Debian has it, its opportunistic encryption, group `private`
#
# The pair ends after every packet, so each meets hosts without SAs. Nothing has to be asked of anybody: keys are on the disk of
# each. Neighbours are known. `lost`: no answer within 2 s; for TCP, that the SYN had to be sent again (the kernel's count), since
# TCP hides it as time. The median is that of all packets, so it does not exist where more were lost than answered. strongSwan's
# initiator now and then takes no notice of an answer that comes a millisecond after its question, and asks again after 4 s: counted
# as it is. Aim: nothing lost, and a third of the best of the others.
#
# Not measured: networks (no delay here), many at once, look-ups. On user-mode Linux all share one processor, and Holdfast's agent is
# woken at the timer tick, 0 to 10 ms late (release.sh).
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/../net/agent.sh"
. "$(dirname "$0")/../net/foreign.sh"
. "$(dirname "$0")/stat.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:minisign

ROUNDS=${LAB_ROUNDS:-5} WAIT_MS=2000 NEVER=1e12
SYSTEMS='holdfast strongswan_drop strongswan_queue libreswan'

lan a b c d e f
for pair in "a b" "c d" "e f"; do
	# shellcheck disable=SC2086
	neighbours $pair >/dev/null
done
for h in b d f; do serve "$h"; done

# ---- Holdfast: what `holdfast init` writes, a directory of two hosts, one policy

holdfast_start() {
	local h line desk=$WORK/desk
	mkdir -p "$desk"
	minisign -G -W -p "$desk/fleet.pub" -s "$desk/fleet.key" >/dev/null
	cat >"$desk/fleet" <<-END
		holdfast-directory 1
		id bench
		serial 1
		issued $(date -u +%Y-%m-%dT%H:%M:%SZ)
		expires $(date -u -d '+1 day' +%Y-%m-%dT%H:%M:%SZ)
		scope 10.9.0.0/24,fd09::/64
	END
	for h in a b; do
		line=$(on "$h" "$HOLDFAST" init --json | jq -r .line)
		# shellcheck disable=SC2086
		"$HOLDFAST" directory add "$desk/fleet" ${line%% name=*} "name=$h.lab" >/dev/null
	done
	"$HOLDFAST" directory sign "$desk/fleet" --key "$desk/fleet.key" >/dev/null
	for h in a b; do
		on "$h" sh -c 'cp "$1"/fleet "$1"/fleet.* /etc/holdfast/ && rm /etc/holdfast/fleet.key && mkdir -p /etc/holdfast/state' sh "$desk"
		setting "$h" discovery "$(printf 'directory = /etc/holdfast/fleet\ndirectory_key = /etc/holdfast/fleet.pub')"
		on "$h" sed -i "s|^\[agent\]|&\nstate = /etc/holdfast/state|" /etc/holdfast/holdfast.conf
		configure "$h" private 10.9.0.0/24 fd09::/64
	done
	for h in a b; do product "$h"; done
}

# ---- strongSwan: a trap for any host (its documentation's "trap-any"), one connection per family

# The other end may be at any address and needs its key; keys and algorithms are those that Holdfast uses. A trap in transport
# mode is what lets strongSwan take the peer's address from the packet.
swan_any() { # HOST PEER FAMILY LOCAL-ADDRESS
	cat <<-EOF
		any$3 {
			version = 2
			local_addrs = $4
			remote_addrs = %any$3
			proposals = aes256gcm16-prfsha256-x25519
			# one message less; the hosts do not move
			mobike = no
			local {
				auth = pubkey
				pubkeys = $1.pub
				id = $1.lab
			}
			remote {
				auth = pubkey
				pubkeys = $2.pub
				id = $2.lab
			}
			children {
				any$3 {
					mode = transport
					start_action = trap
					esp_proposals = aes256gcm16-esn
					# no script to run when it is up
					updown =
				}
			}
		}
	EOF
}

strongswan_start() {
	local h peer t d
	make_key c ed25519
	make_key d ed25519
	for h in c d; do
		[ $h = c ] && peer=d || peer=c
		charon "$h" 1 # what is logged by default
		on "$h" cp "$WORK/$h.pem" "/run/swanctl/private/"
		on "$h" cp "$WORK/c.pub" "$WORK/d.pub" /run/swanctl/pubkey/
		# A trap for all of IPv6 would catch what finds neighbours.
		for t in 135 136; do
			for d in in out; do echo "xfrm policy add src ::/0 dst ::/0 proto ipv6-icmp type $t dir $d priority 1"; done
		done | on "$h" ip -batch -
		{
			echo "connections {"
			swan_any "$h" "$peer" 4 "$(addr "$h")"
			swan_any "$h" "$peer" 6 "$(addr6 "$h")"
			echo "}"
		} | into "$h" /run/swanctl/swanctl.conf
		swan "$h" --load-all >"$WORK/swanctl-$h.log" 2>&1 || fail "strongSwan does not take its configuration"
	done
}

# ---- Libreswan: the group `private` of its sample oe-authnull.conf, word for word but for three lines

# It authenticates nobody, which costs it less than Holdfast's signatures. `left` is %defaultroute in the sample, and there is no such
# route here, nor one for IPv6; the script that it runs for each route takes a second here and does nothing for hosts.
libreswan_start() {
	local h peer f
	for h in e f; do
		[ $h = e ] && peer=f || peer=e
		on "$h" mkdir -p /run/ipsec.d/policies
		addr "$peer" | into "$h" /run/ipsec.d/policies/private
		addr6 "$peer" | into "$h" /run/ipsec.d/policies/private6
		{
			echo "config setup"
			for f in '' 6; do
				echo "conn private$f"
				sed 's/^/  /' <<-EOF
					type=tunnel
					authby=null
					leftid=%null
					rightid=%null
					left=$("addr$f" "$h")
					right=%opportunisticgroup
					negotiationshunt=hold
					failureshunt=drop
					ikev2=insist
					leftupdown=%disabled
					auto=route
				EOF
			done
		} | pluto "$h"
	done
	for h in e f; do wait_for 30 traps "$h" 2; done
}

# traps HOST N: pluto has traps for N groups.
traps() { [ "$(whack "$1" --status | grep -c '^000 "private.*; prospective erouted;')" = "$2" ]; }

# ---- one packet

from_of() { case $1 in holdfast) echo a ;; strongswan*) echo c ;; libreswan) echo e ;; esac; }
to_of() { case $1 in holdfast) echo b ;; strongswan*) echo d ;; libreswan) echo f ;; esac; }

# again HOST: TCP segments that the host has sent again so far, in $AGAIN.
again() {
	local names values i
	while read -r -a names && read -r -a values; do
		[ "${names[0]}" = Tcp: ] || continue
		for i in "${!names[@]}"; do [ "${names[i]}" != RetransSegs ] || AGAIN=${values[i]}; done
	done <"/proc/${LAB_PID[$1]}/net/snmp"
}

# first SYSTEM udp|tcp|icmp ADDRESS-FUNCTION: a line "MICROSECONDS LOST" goes to the samples.
first() {
	local h to out us before
	h=$(from_of "$1") to=$("$3" "$(to_of "$1")")
	case $1 in
	strongswan_drop) on "$h" sysctl -qw net.core.xfrm_larval_drop=1 ;;
	strongswan_queue) on "$h" sysctl -qw net.core.xfrm_larval_drop=0 ;;
	esac
	LOST=0
	again "$h"
	before=$AGAIN
	case $2 in
	tcp)
		out=$(on "$h" "$HFPROBE" tcp "$to" --count 1 --bytes 64 --wait-ms $((2 * WAIT_MS)))
		us=$(json "$out" connect_us)
		again "$h"
		((AGAIN == before)) && [ "$us" != null ] || LOST=1
		;;
	*)
		out=$(on "$h" "$HFPROBE" "${2/icmp/ping}" "$to" --count 1 --wait-ms $WAIT_MS --linger-ms 0)
		us=$(json "$out" first_reply_us)
		[ "$(json "$out" received)" = 1 ] || LOST=1
		;;
	esac
	[ "$us" != null ] || us=$NEVER
	echo "$us $LOST" >>"$WORK/samples.$1.$2.$3"
	nap 0.1 # the last segments of TCP
}

has_no_sa() { [ -z "$(on "$1" ip xfrm state)" ]; }

# established HOST: the number of pluto's IKE SA, in $IKE_SA.
established() {
	IKE_SA=$(whack "$1" --status | sed -n 's/^000 #\([0-9]*\):.*STATE_V2_ESTABLISHED_IKE_SA.*/\1/p')
	[ -n "$IKE_SA" ]
}

# strangers SYSTEM ADDRESS-FUNCTION: the hosts' SAs end, and what they know of each other; the peer has answered to that when it
# returns. An acquire that came to nothing is a state as well, and goes.
strangers() {
	local h to f=$2 any=any4
	h=$(from_of "$1") to=$(to_of "$1")
	[ "$f" = addr ] || any=any6
	case $1 in
	holdfast)
		on "$h" "$HOLDFAST" forget "$($f "$to")" >/dev/null
		on "$to" "$HOLDFAST" forget "$($f "$h")" >/dev/null
		wait_for 10 has_no_sa "$h"
		wait_for 10 has_no_sa "$to"
		return
		;;
	strongswan*)
		wait_for 10 swan_has "$h" ESTABLISHED 1
		# What still waits in the kernel's queue would begin anew: it goes with its policy.
		[ $LOST = 0 ] || swan "$h" --uninstall --child $any >/dev/null
		swan "$h" --terminate --ike $any >/dev/null 2>&1
		[ $LOST = 0 ] || swan "$h" --install --child $any >/dev/null
		;;
	libreswan)
		wait_for 10 established "$h"
		whack "$h" --deletestate "$IKE_SA" >/dev/null
		wait_for 10 traps "$h" 2
		;;
	esac
	on "$h" ip xfrm state flush
	on "$to" ip xfrm state flush
}

holdfast_start
strongswan_start
libreswan_start

# Once beforehand: programs are read from the disk, ciphers are loaded.
for s in $SYSTEMS; do
	for f in addr addr6; do
		first "$s" udp $f
		strangers "$s" $f
	done
done
rm "$WORK"/samples.*

capture_start
for ((r = 0; r < ROUNDS; r++)); do
	for kind in udp tcp icmp; do
		for f in addr addr6; do
			for s in $SYSTEMS; do
				first "$s" $kind $f
				strangers "$s" $f
			done
		done
	done
done
capture_stop
for f in addr addr6; do
	judge --pair "$($f a)" "$($f b)" --expect "marker=0,clear=0,esp>0" >"$WORK/judge.log"
done

for s in $SYSTEMS; do
	for kind in udp tcp icmp; do
		for f in addr addr6; do
			sort -g "$WORK/samples.$s.$kind.$f" | awk -v never=$NEVER '
				{ v[NR] = $1; lost += $2 }
				function ms(us) { return (us >= never / 2) ? "null" : sprintf("%.3f", us / 1000) }
				END {
					i = int((NR + 1) / 2)
					median = NR % 2 ? v[i] : (v[i] + v[i + 1]) / 2
					printf "{\"n\":%d,\"lost\":%d,\"min\":%s,\"median\":%s,\"max\":%s}\n",
						NR, lost, ms(v[1]), ms(median), ms(v[NR])
				}' >"$WORK/figure"
			result "first.$s.${kind}_ipv$([ $f = addr ] && echo 4 || echo 6)" "$(cat "$WORK/figure")"
		done
	done
done
