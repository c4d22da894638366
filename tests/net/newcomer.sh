#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 170
#
# README's "Five minutes, two hosts", word by word: the commands are read out of README and typed here. Only what a lab host
# has not got is put in its place: systemctl, and somebody who carries the two lines over.
#
#     alpha 10.9.0.1 ---- [switch lan0, capture] ---- beta 10.9.0.2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:ping

lan alpha beta
neighbours alpha beta
capture_start

# The manager of services: knows one, and two things to do with it.
mkdir "$WORK/bin"
cat >"$WORK/bin/systemctl" <<'END'
#!/bin/sh
[ "$2 $3" = "--now holdfast" ] || { echo "systemctl: not understood: $*" >&2; exit 1; }
case $1 in
enable)
	holdfast run --foreground >/run/agent.log 2>&1 </dev/null &
	echo $! >/run/agent.pid
	for i in $(seq 300); do
		grep -q 'is running' /run/agent.log && exit 0
		sleep 0.1
	done
	cat /run/agent.log
	exit 1 ;;
disable)
	kill "$(cat /run/agent.pid)"
	while kill -0 "$(cat /run/agent.pid)" 2>/dev/null; do sleep 0.1; done ;;
*) exit 1 ;;
esac
END
chmod +x "$WORK/bin/systemctl"
ln -s "$HOLDFAST" "$WORK/bin/holdfast"
for h in alpha beta; do on "$h" mount -t tmpfs -o mode=755 tmpfs /var/lib; done

# What `make install` puts there.
for h in alpha beta; do on "$h" sh -c 'cp -r "$1/dist/holdfast.conf" "$1/dist/policies" /etc/holdfast/' sh "$REPO"; done

declare -A LINE=()
# typed HOST COMMAND: as its operator would.
typed() {
	local h=$1 command=$2 out
	command=${command//LINE OF ALPHA/${LINE[alpha]:-}}
	command=${command//LINE OF BETA/${LINE[beta]:-}}
	echo "$h# $command"
	out=$(on "$h" env PATH="$WORK/bin:$PATH" HOME=/root bash -c "$command" 2>&1) || fail "$h# $command: $out"
	echo "$out"
	case $command in
	'holdfast init') LINE[$h]=$(grep ' ed25519:' <<<"$out") ;;
	ping*) grep ' 0% packet loss' <<<"$out" >/dev/null || fail "a packet was lost: $out" ;;
	'holdfast peers') grep '^10.9.0.2 .* secure .* pin' <<<"$out" >/dev/null || fail "no secure peer: $out" ;;
	'holdfast explain'*) grep 'proved: ' <<<"$out" >/dev/null || fail "nothing was proved: $out" ;;
	esac
}

commands=0
while IFS= read -r line; do
	commands=$((commands + 1))
	line=${line#    }
	case $line in
	alpha#*) typed alpha "${line#*# }" ;;
	beta#*) typed beta "${line#*# }" ;;
	both#*) for h in alpha beta; do typed "$h" "${line#*# }"; done ;;
	esac
done < <(sed -n '/^## Five minutes/,/^## /p' "$REPO/README.md" | grep -E '^    (alpha|beta|both)# ')
check "$commands" -ge 10 "commands in README"
capture_stop
judge --expect 'marker=0,truncated=0,esp>5'
check_eq "$(on alpha sh -c 'ls /sys/fs/bpf/holdfast 2>/dev/null | wc -l')" 0 "what is left at the end"
