#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# The unit as it is installed, under a systemd that is the first process of host a: started when it says so, confined as the unit says, killed
# and started again with traffic running, ended by the watchdog when it hangs, reloaded, stopped with the gate closed behind it.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2      private to each other
#       systemd > holdfast.service                  holdfast run
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 bpf_tc ringbuf cmd:systemctl

lan a b
neighbours a b
private_hosts a b
pin a b
pin b a
# Where the unit has it, not where scenarios do.
on a sed -i '/^state = /d' /etc/holdfast/holdfast.conf
product b
serve b

# Nothing of the machine is started: only what lab.target wants. The watchdog is the unit's, with less patience.
cat >"$WORK/boot" <<'END'
#!/bin/sh
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir -p /run/over/upper /run/over/work
mount -t overlay overlay -o lowerdir=/usr/sbin,upperdir=/run/over/upper,workdir=/run/over/work /usr/sbin
cp "$HOLDFAST" /usr/sbin/holdfast
mkdir -p /run/systemd/system/holdfast.service.d
sed 's|@SBINDIR@|/usr/sbin|' "$REPO/dist/holdfast.service" >/run/systemd/system/holdfast.service
printf '[Service]\nWatchdogSec=8\n' >/run/systemd/system/holdfast.service.d/lab.conf
printf '[Unit]\nWants=holdfast.service\n' >/run/systemd/system/lab.target
exec env container=lab /lib/systemd/systemd --system --unit=lab.target
END
chmod +x "$WORK/boot"
bg a systemd unshare --mount --pid --fork --kill-child --mount-proc --cgroup "$WORK/boot"
init=
find_init() { init=$(pgrep -P "$(pid_of systemd)") && [[ $(<"/proc/$init/comm") == systemd ]]; }
wait_for 30 find_init
booted() { nsenter -t "$init" -n -m -p -- "$@"; }
unit() { booted systemctl show --value -p "$1" holdfast; }
is_unit() { [ "$(unit "$1")" = "$2" ]; }
is_started() { is_unit ActiveState active && is_unit SubState running; }
wait_for 60 is_started || { booted systemctl --no-pager status holdfast || true; fail "the unit does not start"; }

capture_start
out=$(on a "$HFPROBE" udp "$(addr b)" --count 3 --wait-ms 20000 --complete) || fail "first datagrams: $out"
check_eq "$(json "$out" lost)" 0 "first datagrams lost"

# ---- confined as it says
main=$(unit MainPID)
status_line() { booted sed -n "s/^$1:[[:space:]]*//p" "/proc/$main/status"; }
check_eq "$(status_line NoNewPrivs)" 1 "no new privileges"
check_eq "$(status_line Seccomp)" 2 "system calls are filtered"
[[ $(booted stat -c '%a %F' /var/lib/holdfast) == '700 directory' ]] || fail "/var/lib/holdfast: $(booted stat -c '%a %F' /var/lib/holdfast)"
[ -n "$(booted ls -A /var/lib/holdfast)" ] || fail "the agent keeps nothing in /var/lib/holdfast"
# bit 12 NET_ADMIN, 13 NET_RAW, 10 NET_BIND_SERVICE, 38 PERFMON, 39 BPF
check_eq "$((0x$(status_line CapBnd) & ~(1 << 12 | 1 << 13 | 1 << 10 | 1 << 38 | 1 << 39)))" 0 "capabilities beyond the unit's"
if booted nsenter -t "$main" -m -- sh -c ': >/usr/sbin/written' 2>/dev/null; then fail "the agent could write to /usr"; fi

# ---- killed, and hanging, with traffic running
ended() { [ "$(unit MainPID)" != "$main" ] && is_started; }
for way in KILL STOP; do
	main=$(unit MainPID)
	bg a talk "$HFPROBE" udp "$(addr b)" --count 100000 --interval-ms 20 --wait-ms 20000 --complete
	sleep 1
	booted kill -s "$way" "$main"
	wait_for 60 ended || fail "after SIG$way there is no new agent"
	sleep 2
	enough talk
	await talk 60
	out=$(tail -n 1 "$WORK/talk.log")
	check_eq "$(json "$out" lost)" 0 "datagrams lost when the agent got SIG$way"
done
check_eq "$(unit Result)" success "the unit's result once it runs again"
check_eq "$(unit NRestarts)" 2 "restarts that systemd counts"

# ---- reloaded: a group that was not there
echo 192.0.2.0/24 | booted tee -a /etc/holdfast/policies/block >/dev/null
booted systemctl reload holdfast
is_blocked() { [[ $(booted /usr/sbin/holdfast policy test 192.0.2.1) == *block* ]]; }
wait_for 20 is_blocked

# ---- stopped: what is sealed goes on, what is private stays closed
booted systemctl stop holdfast
check_eq "$(unit ActiveState)" inactive "after systemctl stop"
out=$(on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --complete) || fail "udp without an agent: $out"
check_eq "$(json "$out" lost)" 0 "datagrams of the standing pair lost without an agent"
booted systemctl start holdfast
check_eq "$(unit ActiveState)" active "after systemctl start"
capture_stop
judge --expect 'marker=0,clear=0,esp>20,truncated=0'
