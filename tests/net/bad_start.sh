#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# What cannot start says so in one clear line, ends with an error and leaves nothing behind: no filter, no pin, no
# policy. A mistake in the configuration, a missing file system or capability, a map of somebody else at our path,
# a second agent beside the first, which is not disturbed.
#
#     a 10.9.0.1 ---- [switch lan0] ---- b 10.9.0.2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:bpftool cmd:setpriv

lan a b

write() { on a sh -c 'mkdir -p "$(dirname "$1")" && cat >"$1"' sh "$1"; }
clean() { on a sh -c 'rm -rf /etc/holdfast/* && mkdir -p /etc/holdfast/policies'; }

footprint() {
	on a tc filter show dev eth0 egress
	on a tc filter show dev eth0 ingress
	on a find /sys/fs/bpf -mindepth 1
	on a ip xfrm policy
	on a ip xfrm state
}

# refused WHAT PATTERN COMMAND...: ends by itself with an error; one line says what the pattern says; nothing is left.
refused() {
	local what=$1 pattern=$2 rc=0 before after
	shift 2
	before=$(footprint)
	on a timeout 10 "$@" >"$WORK/refused.log" 2>&1 || rc=$?
	[ "$rc" != 0 ] || fail "$what: it did start: $(cat "$WORK/refused.log")"
	[ "$rc" != 124 ] || fail "$what: it was still running after 10 s: $(cat "$WORK/refused.log")"
	# What it read without finding a mistake may be told before; the complaint is the last line, and the only one.
	grep -v 'every setting has its default\|every address belongs\|holdfast: warning: ' "$WORK/refused.log" >"$WORK/complaint" || true
	check_eq "$(grep -c . "$WORK/complaint")" "${LINES_WANTED:-1}" "$what: lines"
	grep -E -- "$pattern" "$WORK/complaint" >/dev/null || fail "$what: '$pattern' is not in: $(cat "$WORK/complaint")"
	after=$(footprint)
	[ "$before" = "$after" ] || fail "$what: left behind: $after"
	ok "$(cat "$WORK/complaint")"
}
run=("$HOLDFAST" run)

# ---- configuration

clean
printf '[agent]\ninterface = eth0\n' | write /etc/holdfast/holdfast.conf
refused "unknown key" 'holdfast.conf:2: .*interface.*did you mean interfaces' "${run[@]}"
printf '[agnet]\n' | write /etc/holdfast/holdfast.conf
refused "unknown section" 'holdfast.conf:1: .*agnet.*did you mean' "${run[@]}"
printf '[limits]\nhold_slots = many\n' | write /etc/holdfast/holdfast.conf
refused "no number" 'holdfast.conf:2: .*hold_slots' "${run[@]}"
printf '[agent]\ninterfaces = eth0 eth7\n' | write /etc/holdfast/holdfast.conf
refused "interface that does not exist" 'holdfast.conf:2: .*eth7.*eth7\*' "${run[@]}"
refused "configuration that does not exist" '/etc/holdfast/other.conf.*cannot be read' "${run[@]}" --config /etc/holdfast/other.conf

clean
printf '10.9.0.0/24\n10.9.0.0/33\n' | write /etc/holdfast/policies/private
refused "bad CIDR" 'policies/private:2: .*10.9.0.0/33' "${run[@]}"
clean
printf '# ours\n10.9.0.0/24\n' | write /etc/holdfast/policies/private
printf '10.9.0.0/24\n' | write /etc/holdfast/policies/clear
refused "the same prefix in two groups" 'policies/(private:2|clear:1).*policies/(private:2|clear:1)' "${run[@]}"
clean
printf '10.9.0.0/24\n' | write /etc/holdfast/policies/privat
refused "no such group" 'policies/privat: .*did you mean "private"' "${run[@]}"

# ---- keys

clean
printf '[agent]\nstate = /etc/holdfast\n' | write /etc/holdfast/holdfast.conf
echo 'not a key' | write /etc/holdfast/key.pem
refused "what is no key" '/etc/holdfast/key.pem: ' "${run[@]}"
on a openssl genrsa -out /etc/holdfast/key.pem 1024 2>/dev/null
refused "RSA of 1024 bits" '/etc/holdfast/key.pem: .*2048' "${run[@]}"
on a openssl genpkey -quiet -algorithm ed25519 -aes256 -pass pass:word -out /etc/holdfast/key.pem
refused "a key with a password" '/etc/holdfast/key.pem: ' "${run[@]}"
on a sh -c ': >/etc/holdfast/key.pem'
refused "an empty key" '/etc/holdfast/key.pem: ' "${run[@]}"
printf '[agent]\nkey = /etc/holdfast/other.pem\n' | write /etc/holdfast/holdfast.conf
refused "a key that is not there" '/etc/holdfast/other.pem: .*holdfast init' "${run[@]}"
clean
on a "$HOLDFAST" init >"$WORK/init.log"
printf '[agent]\nstate = /etc/holdfast\n' | write /etc/holdfast/holdfast.conf
printf '# ours\n10.9.0.2 ed25519:AAAA\n' | write /etc/holdfast/pins
refused "a pin with half a key" '/etc/holdfast/pins:2: .*copy the whole key' "${run[@]}"
printf '10.9.0.2\n' | write /etc/holdfast/pins
refused "a pin without a key" '/etc/holdfast/pins:1: .*no key' "${run[@]}"
on a rm /etc/holdfast/pins
printf '[agent]\nstate = /etc/holdfast\n[discovery]\npins = /etc/holdfast/others\n' | write /etc/holdfast/holdfast.conf
refused "pins that are not there" '/etc/holdfast/others: cannot be read' "${run[@]}"
printf '[agent]\nstate = /etc/holdfast\n[discovery]\ndirectory = /etc/holdfast/fleet\n' | write /etc/holdfast/holdfast.conf
refused "a directory nobody signs" 'holdfast.conf:4: .*directory_key' "${run[@]}"
printf '[agent]\nstate = /etc/holdfast\n[discovery]\ndirectory = /etc/holdfast/fleet\ndirectory_key = RWQabc\n' | write /etc/holdfast/holdfast.conf
refused "no key of minisign" 'directory_key' "${run[@]}"

# ---- what the machine lacks

clean
on a "$HOLDFAST" init >"$WORK/init.log"
printf '[agent]\nstate = /etc/holdfast\n' | write /etc/holdfast/holdfast.conf
bg a daemon "$HFPROBE" serve --port 500
wait_for 5 grep -q serving "$WORK/daemon.log"
refused "another IKE daemon" 'UDP port 500 .*another IKE daemon' "${run[@]}"
stop daemon

clean
printf '10.9.0.0/24\n' | write /etc/holdfast/policies/private
refused "no CAP_NET_ADMIN" 'CAP_NET_ADMIN' setpriv --bounding-set=-net_admin "${run[@]}"
refused "no CAP_BPF, no CAP_SYS_ADMIN" 'CAP_BPF' setpriv --bounding-set=-bpf,-sys_admin "${run[@]}"

on a mkdir -p /sys/fs/bpf/holdfast
on a bpftool map create /sys/fs/bpf/holdfast/hf_gate type hash key 4 value 4 entries 4 name foreign
refused "somebody else's map at our path" '/sys/fs/bpf/holdfast/hf_gate is pinned.*bpftool map show pinned' "${run[@]}"
on a bpftool map show pinned /sys/fs/bpf/holdfast/hf_gate | grep foreign >/dev/null
on a rm -r /sys/fs/bpf/holdfast

# Found when maps are pinned and the policy is in them, all of which must go again. It looks like clsact, and would leave
# the host open: what leaves does not pass it.
if ! "$HFPROBE" feature tcx >/dev/null; then
	on a "$HOLDFAST" init >"$WORK/init.log"
	printf '[agent]\nstate = /etc/holdfast\n' | write /etc/holdfast/holdfast.conf
	on a tc qdisc add dev eth0 ingress
	LINES_WANTED=2 refused "an ingress qdisc in clsact's place" 'eth0 has an ingress qdisc' "${run[@]}"
	on a tc qdisc del dev eth0 ingress
fi

refused "no BPF file system" '/sys/fs/bpf is no BPF file system: .*mount -t bpf' \
	unshare -m sh -c 'umount /sys/fs/bpf && exec "$@"' sh "${run[@]}"

# ---- two agents

on b sh -c 'mkdir -p /etc/holdfast/policies && echo 10.9.0.0/24 >/etc/holdfast/policies/private'
serve b
agent b --respond "$(addr a)/32"
agent a
on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --strict
refused "a second agent" "$(pid_of agent-a)|is running|runs already" "${run[@]}"
on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --strict
check_eq "$(json "$(status_of a)" pid)" "$(pid_of agent-a)" "agent that answers"
