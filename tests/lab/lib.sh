# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What every scenario sources. README.md beside this file lists the functions.
# A scenario fails at the first command that fails; whatever happens, the trap at the end kills what
# was started here, and the namespaces go with their last process.
set -eEuo pipefail

LAB=${LAB:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}
REPO=${REPO:-$(cd "$LAB/../.." && pwd)}
B=$(realpath -m "${B:-$REPO/build}")
HOLDFAST=${HOLDFAST:-$B/holdfast}
FIXEDKEY=${FIXEDKEY:-$B/tests/fixedkey}
IKEPEER=${IKEPEER:-$B/tests/ikepeer}
HFPROBE=${HFPROBE:-$B/tests/lab/hfprobe}
HFCAP=${HFCAP:-$B/tests/lab/hfcap}
WIREJUDGE=${WIREJUDGE:-$B/tests/lab/wirejudge}
LAB_TIER=${LAB_TIER:-host}
WORK=${WORK:-$(mktemp -d /tmp/lab.XXXXXX)}
export LAB REPO B HOLDFAST FIXEDKEY IKEPEER HFPROBE HFCAP WIREJUDGE LAB_TIER WORK

declare -A LAB_PID=() LAB_N=() LAB_BG=()
LAB_COUNT=0
STOPPED_RC=0
exec {LAB_NAP}<> <(:)

# ---- end of a scenario

# lab_alive PID: a zombie is not alive. The shell does not always fetch a child's end at once, so
# `kill -0` alone may say "alive" for ever.
lab_alive() {
	local stat
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null && [[ $stat != *") Z "* ]]
}

lab_end() {
	local rc=$? name p
	trap - EXIT ERR
	set +e
	for name in "${!LAB_BG[@]}"; do kill -TERM "${LAB_BG[$name]}" 2>/dev/null; done
	for name in "${!LAB_BG[@]}"; do
		for ((p = 0; p < 100; p++)); do
			lab_alive "${LAB_BG[$name]}" || break
			nap 0.02
		done
		kill -KILL "${LAB_BG[$name]}" 2>/dev/null
	done
	for p in "${LAB_PID[@]}"; do kill -KILL "$p" 2>/dev/null; done
	wait 2>/dev/null
	if ((rc != 0 && rc != 77)); then
		for p in "$WORK"/*.log; do
			[ -s "$p" ] || continue
			echo "--- ${p##*/}"
			tail -n 12 "$p"
		done
	fi
	exit "$rc"
}
trap lab_end EXIT

# The command that failed, and by which lines the scenario came to it.
lab_failed() { # EXIT-CODE LINE COMMAND
	local i way=
	for ((i = 1; i < ${#BASH_SOURCE[@]}; i++)); do
		way="${BASH_SOURCE[i]##*/}:$( ((i == 1)) && echo "$2" || echo "${BASH_LINENO[i - 1]}") $way"
	done
	echo "lab: ${way}failed ($1): $3" >&2
}
trap 'lab_failed "$?" "$LINENO" "$BASH_COMMAND"' ERR
trap 'exit 143' TERM INT

ok() { echo "ok: $*"; }

fail() {
	trap - ERR
	echo "FAIL: $*"
	exit 1
}

skip() {
	echo "SKIP: $*"
	exit 77
}

# check_eq HAVE WANT WHAT
check_eq() {
	[ "$1" = "$2" ] || fail "$3: is '$1', expected '$2'"
	ok "$3: $1"
}

# check HAVE OP NUMBER WHAT: -lt -le -gt -ge -eq -ne
check() {
	[ "$1" "$2" "$3" ] || fail "$4: $1 is not $2 $3"
	ok "$4: $1"
}

# ---- time

# nap SECONDS sleeps without starting a process (20 ms on user-mode Linux).
nap() { read -rt "$1" -u "$LAB_NAP" || true; }

# The emulated machine is slow, and nothing here is about speed: limits are longer there.
LAB_PATIENCE=1
[ "$LAB_TIER" != vm ] || LAB_PATIENCE=5

# wait_for SECONDS COMMAND... asks every 20 ms; fails when the time is over.
wait_for() {
	local limit=$((${1%%.*} * LAB_PATIENCE)) until
	shift
	until=$((${EPOCHREALTIME/./} + limit * 1000000))
	while ! "$@" >/dev/null 2>&1; do
		if ((${EPOCHREALTIME/./} > until)); then
			echo "lab: waited $limit s in vain for: $*" >&2
			return 1
		fi
		nap 0.02
	done
}

mono_ns() { "$HFPROBE" now; }

# ---- features, asked of the running kernel by using them

lab_has() {
	local v4=(src 192.0.2.1 dst 192.0.2.2) v6=(src 2001:db8::1 dst 2001:db8::2)
	local esp=(proto esp spi 0x100 mode transport aead 'rfc4106(gcm(aes))'
		0x000102030405060708090a0b0c0d0e0f10111213 128)
	case $1 in
	esp4) unshare -n ip xfrm state add "${v4[@]}" "${esp[@]}" ;;
	esp6) unshare -n ip xfrm state add "${v6[@]}" "${esp[@]}" ;;
	bpf_tc | ringbuf | tcx | jit) "$HFPROBE" feature "$1" ;;
	kernel_btf) [ -r /sys/kernel/btf/vmlinux ] || { echo "no /sys/kernel/btf/vmlinux" && false; } ;;
	xdp_dispatcher)
		[ -e "$B/bpf/xdp_other.bpf.o" ] && unshare -nm sh -c 'mount -t bpf bpf /sys/fs/bpf && ip link set lo up &&
			xdp-loader load -m skb lo "$1" && xdp-loader status lo' sh "$B/bpf/xdp_other.bpf.o" 2>&1 | grep xdp_dispatcher >/dev/null ||
			{ echo "libxdp cannot put two programs there" && false; }
		;;
	cards)
		modprobe -q virtio_net
		! command -v udevadm >/dev/null || udevadm settle --timeout=30 # it renames them
		[ "$LAB_TIER" = vm ] && [ "$(lab_cards | wc -l)" -ge 2 ] || { echo "no two network cards on one wire" && false; }
		;;
	smp) [ "$(nproc)" -ge 2 ] || { echo "one processor" && false; } ;;
	bridge) unshare -n ip link add x type bridge ;;
	vlan) unshare -n sh -c 'ip link add x type dummy && ip link add link x name y type vlan id 7' ;;
	netem) unshare -n sh -c 'ip link add x type dummy && tc qdisc add dev x root netem delay 1ms' ;;
	nftables) unshare -n nft add table inet x ;;
	nat) modprobe -aq iptable_nat xt_MASQUERADE xt_nat; unshare -n iptables-legacy -t nat -L -n ;;
	tun) unshare -n ip tuntap add mode tun name x ;;
	cmd:*) command -v "${1#cmd:}" || { echo "not installed" && false; } ;;
	*) fail "need: unknown feature $1" ;;
	esac
}

# need FEATURE...: skip the scenario when the kernel (or the machine, cmd:PROGRAM) lacks one.
need() {
	local f why
	for f; do
		why=$(lab_has "$f" 2>&1) || skip "needs $f (${why%%$'\n'*})"
	done
}

# ---- hosts on a switch

lab_hold() { # NAME [no-ipv6]
	local name=$1
	shift
	exec "$HFPROBE" hold "$WORK/.ready.$name" "$@" >"$WORK/hold-$name.log" 2>&1 </dev/null &
	LAB_PID[$name]=$!
}

lab_held() { # NAME
	local i
	for ((i = 0; i < 500; i++)); do
		[ ! -e "$WORK/.ready.$1" ] || return 0
		lab_alive "${LAB_PID[$1]}" || break
		nap 0.01
	done
	cat "$WORK/hold-$1.log"
	fail "host $1 did not start"
}

lab_ports_forward() { ! on switch grep -qv 3 $(printf '/sys/class/net/%s/brport/state ' "$@"); }

# lab_speaks_v6 HOST: its kernel has done all that it does by itself when a link comes up: addresses, the link-local one
# too, that are not tentative, routes to itself and for multicast, and the group its neighbours ask in. That is the work
# of a kernel thread, on user-mode Linux the same one that frees the BPF programs of the scenario before, 1 to 20 s of
# computing (it unmaps their memory page by page): until then the host is deaf for neighbour solicitations.
lab_speaks_v6() {
	local net=/proc/${LAB_PID[$1]}/net own all addr flags ready=
	printf -v own 'fd09%026d%02x' 0 "${LAB_N[$1]}"
	while read -r addr _ _ _ flags _; do
		[[ $addr != fe80* ]] || ready=1
		! ((16#$flags & 0x40)) || return 1
	done <"$net/if_inet6"
	[ "$ready" ] || return 1
	all=$(<"$net/ipv6_route")
	[[ $all == *"$own 80 "* && $all == *"ff000000000000000000000000000000 08 "*eth0* ]] || return 1
	[[ $(<"$net/igmp6") == *eth0*ff02*"01ff${own: -6} "* ]]
}

# lanes MASK HOST DEVICE...: the processors that work off what arrives at these devices of the host.
lanes() {
	local mask=$1 h=$2
	shift 2
	[ "$(nproc)" -gt 1 ] || return 0
	on "$h" sh -c 'm=$1; shift; for d; do echo $m >/sys/class/net/$d/queues/rx-0/rps_cpus; done' sh "$mask" "$@"
}

# one_lane HOST DEVICE...: one processor for all that arrives there, so that the lab keeps the order of sending.
one_lane() { lanes 1 "$@"; }

# many_lanes HOST...: all that arrives at the hosts is worked off where it was sent, side by side and in no order.
many_lanes() {
	local h
	lanes 0 switch "$@"
	for h; do lanes 0 "$h" eth0; done
}

# lan HOST...: hosts on the switch, N-th host with eth0, 10.9.0.N/24 and fd09::N/64. What arrives is worked off by one
# processor, so that the lab keeps the order in which it was sent. May be called again for hosts that join later.
lan() {
	local h n
	[ -n "${LAB_PID[switch]:-}" ] || lab_hold switch no-ipv6
	for h; do
		[ -z "${LAB_N[$h]:-}" ] || fail "lan: host $h is there already"
		LAB_COUNT=$((LAB_COUNT + 1))
		LAB_N[$h]=$LAB_COUNT
		lab_hold "$h"
	done
	for h in switch "$@"; do lab_held "$h"; done
	{
		if [ ! -e "$WORK/.lan0" ]; then
			echo "link add lan0 type bridge mcast_snooping 0"
			echo "link set lan0 up"
			touch "$WORK/.lan0"
		fi
		for h; do
			echo "link add name $h type veth peer name eth0 netns ${LAB_PID[$h]}"
			echo "link set dev $h master lan0 up"
		done
	} | on switch ip -batch -
	for h; do
		n=${LAB_N[$h]}
		on "$h" ip -batch - <<-EOF
			addr add 10.9.0.$n/24 dev eth0
			addr add fd09::$(printf %x "$n")/64 dev eth0 nodad
			link set eth0 up
		EOF
	done
	one_lane switch "$@"
	for h; do one_lane "$h" eth0; done
	wait_for 30 lab_ports_forward "$@"
	for h; do wait_for 60 lab_speaks_v6 "$h"; done
}

# card HOST ADDRESS: one of two network cards that are on one wire is the host's, by the name of "card". Cards that nobody has are
# in the guest's own network namespace, where they come back to.
lab_cards() {
	local device
	for device in /sys/class/net/*/device; do
		[ ! -e "$device" ] || basename "${device%/device}"
	done
}
card() {
	local name
	name=$(lab_cards | sed -n 1p)
	ip link set dev "$name" xdp off # of an earlier scenario, whose libxdp has put it there for good
	ip link set dev "$name" netns "${LAB_PID[$1]}"
	on "$1" ip link set dev "$name" name card
	on "$1" ip addr add "$2/24" dev card
	on "$1" ip link set card up
}

# neighbours A B: each knows where the other is, so that what is seen later is not ND's or ARP's doing.
neighbours() {
	on "$1" "$HFPROBE" ping "$(addr "$2")" --strict
	on "$1" "$HFPROBE" ping "$(addr6 "$2")" --strict
	on "$2" "$HFPROBE" ping "$(addr6 "$1")" --strict
}

lab_host() { [ -n "${LAB_PID[$1]:-}" ] || fail "no host '$1'; was it given to lan?"; }

addr() { echo "10.9.0.${LAB_N[$1]}"; }
addr6() { printf 'fd09::%x\n' "${LAB_N[$1]}"; }

# many_addrs HOST: 65,000 more addresses per family that HOST answers for (any address of a prefix is
# local to it) and that all other hosts reach through it. Call it after lan.
many_addrs() {
	local n=${LAB_N[$1]} h
	on "$1" sh -c 'echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind'
	on "$1" ip route add local "10.$((64 + n)).0.0/16" dev lo
	on "$1" ip -6 route add local "fd09:$n::/64" dev lo
	for h in "${!LAB_N[@]}"; do
		[ "$h" != "$1" ] || continue
		on "$h" ip route add "10.$((64 + n)).0.0/16" via "$(addr "$1")"
		on "$h" ip -6 route add "fd09:$n::/64" via "$(addr6 "$1")"
	done
}
many_first() { echo "10.$((64 + LAB_N[$1])).0.1"; }
many_first6() { echo "fd09:${LAB_N[$1]}::1"; }

# on HOST COMMAND...: in the host's network and mount namespace; the working directory is /.
on() {
	local h=$1
	lab_host "$h"
	shift
	nsenter -t "${LAB_PID[$h]}" -n -m -- "$@"
}

# bg HOST NAME COMMAND...: in the background, output in $WORK/NAME.log; pid_of NAME, stop NAME.
bg() {
	local h=$1 name=$2
	lab_host "$h"
	shift 2
	! is_running "$name" || fail "bg: $name runs already"
	# exec: the shell would start it as a child of the child, whose end bash 5.2 now and then has "no record" of.
	exec nsenter -t "${LAB_PID[$h]}" -n -m -- "$@" >"$WORK/$name.log" 2>&1 </dev/null &
	LAB_BG[$name]=$!
}

pid_of() { echo "${LAB_BG[$1]}"; }

is_running() { [ -n "${LAB_BG[$1]:-}" ] && lab_alive "${LAB_BG[$1]}"; }

# await NAME [SECONDS]: until the background command ends by itself; its exit code in STOPPED_RC.
await() {
	local i limit=$((${2:-30} * LAB_PATIENCE))
	for ((i = 0; i < limit * 50; i++)); do
		is_running "$1" || break
		nap 0.02
	done
	! is_running "$1" || fail "$1 did not end within $limit s"
	STOPPED_RC=0
	wait "${LAB_BG[$1]}" 2>/dev/null || STOPPED_RC=$?
	unset "LAB_BG[$1]"
}

# stop NAME [SIGNAL]: signal (TERM) and wait; the exit code goes to STOPPED_RC.
stop() {
	kill -s "${2:-TERM}" "${LAB_BG[$1]}" 2>/dev/null || true
	await "$1" 10
}

# enough NAME...: hfprobe's clients send no more, and end when the answers are there.
enough() {
	local name
	for name; do kill -s USR1 "${LAB_BG[$name]}"; done
}

# ---- traffic

# serve HOST [OPTIONS]: echo server; port 7007, sink on 7008. Report at `stop serve-HOST`.
serve() {
	local h=$1
	shift
	bg "$h" "serve-$h" "$HFPROBE" serve "$@"
	wait_for 5 grep -q serving "$WORK/serve-$h.log"
}

# json OBJECT KEY: a value out of a flat JSON object, the first one with that key.
json() {
	[[ $1 =~ \"$2\":(\"([^\"]*)\"|[^,}]*) ]] || fail "no '$2' in: $1"
	echo "${BASH_REMATCH[2]:-${BASH_REMATCH[1]}}"
}

# ---- the wire

# capture_start [HFCAP OPTIONS]: everything that hosts send, once, in $WORK/wire.pcap.
capture_start() {
	rm -f "$WORK/.capture" "$WORK/wire.pcap" "$WORK/wire.pcap.stats"
	bg switch capture "$HFCAP" --skip lan0 --ready "$WORK/.capture" "$@" "$WORK/wire.pcap"
	wait_for 5 test -e "$WORK/.capture"
}

capture_stop() {
	stop capture
	check_eq "$STOPPED_RC" 0 "capture ended"
	[ -e "$WORK/wire.pcap.stats" ] || fail "the capture left no account of its drops"
}

# judge [WIREJUDGE OPTIONS]: fails when an --expect does not hold or the capture dropped packets.
judge() { "$WIREJUDGE" "$@" "$WORK/wire.pcap"; }

# wire KEY [WIREJUDGE OPTIONS]: one number of the judge, over all pairs or the one of --pair A B.
wire() {
	local key=$1 line
	shift
	line=$("$WIREJUDGE" "$@" "$WORK/wire.pcap" | grep '^total:')
	[[ $line =~ \ $key=([0-9]+) ]] || fail "wire: no count '$key'"
	echo "${BASH_REMATCH[1]}"
}

# nat_through A N B: A's IPv4 packets to B go through N, which gives them its own address and other UDP ports; B knows
# nothing of A. All three are on the one switch, so the capture sees a packet before and after.
nat_through() {
	local a=$1 n=$2 b=$3
	on "$n" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects
		echo 0 >/proc/sys/net/ipv4/conf/eth0/send_redirects'
	on "$a" ip route add "$(addr "$b")/32" via "$(addr "$n")"
	on "$b" ip route add prohibit "$(addr "$a")/32"
	on "$n" iptables-legacy -t nat -A POSTROUTING -s "$(addr "$a")" -p udp -j MASQUERADE --to-ports 20000-29999
	on "$n" iptables-legacy -t nat -A POSTROUTING -s "$(addr "$a")" -j MASQUERADE
}

# ---- XFRM by hand

xfrm_show() {
	on "$1" ip -s xfrm state
	on "$1" ip xfrm policy
}

# esp_static A B: fixed AES-GCM transport SAs and policies between two hosts, both families, both
# directions, without an agent.
esp_static() {
	local a=$1 b=$2 h from to key='0x000102030405060708090a0b0c0d0e0f10111213'
	for h in "$a" "$b"; do
		for from in "$a" "$b"; do
			to=$a dir=in
			[ "$from" = "$b" ] || to=$b
			[ "$from" != "$h" ] || dir=out
			for f in addr addr6; do
				echo "xfrm state add src $($f "$from") dst $($f "$to") proto esp spi 0x1${LAB_N[$from]}${LAB_N[$to]} mode transport reqid 1 replay-window 32 aead rfc4106(gcm(aes)) $key 128"
				echo "xfrm policy add src $($f "$from") dst $($f "$to") dir $dir tmpl proto esp mode transport reqid 1"
			done
		done | on "$h" ip -batch -
	done
}
