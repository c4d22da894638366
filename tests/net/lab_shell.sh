#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# What `make lab-shell` opens: four panes, each with a shell of its own host, in which commands are typed and answered; a first packet
# between two of them arrives, and the hosts are secure then. All but the terminal that it is shown on.
. "$(dirname "$0")/../lab/shell"

# typed HOST PATTERN COMMAND: what the pane of the host shows soon after the command was typed there.
shows() { shell_tmux capture-pane -p -J -t "$(pane "$1")" | grep -E -- "$2" >/dev/null; }
typed() {
	shell_tmux send-keys -t "$(pane "$1")" "clear; $3" Enter
	wait_for 20 shows "$1" "$2" || fail "$1: '$3' does not show '$2': $(shell_tmux capture-pane -p -t "$(pane "$1")")"
	ok "$1# $3"
}

shell_open 200 60
check_eq "$(shell_tmux list-panes -t lab:0 | wc -l)" 4 "panes"
for h in a b c; do
	wait_for 60 agent_up "$h"
	typed "$h" '^holdfast [0-9.]+, pid [0-9]+, running for' 'holdfast status'
	check_eq "$(shell_tmux display-message -p -t "$(pane "$h")" '#{pane_title}')" "$h  $(addr "$h")  $(addr6 "$h")" "title"
done
typed d 'no agent answers' 'holdfast status'
typed a '"received":1,' "hfprobe udp $(addr b) --wait-ms 15000"
typed a "^$(addr b) +secure" 'holdfast peers'
typed b "^$(addr a) +secure" 'holdfast peers'
typed c 'q ends this' 'holdfast watch'
shell_tmux send-keys -t "$(pane c)" q
typed c 'left watch' 'echo left watch'
# The shells end, and with them the rest. The last one first: panes behind one that ends change their numbers.
for h in d c b a; do shell_tmux send-keys -t "$(pane "$h")" 'clear; exit' Enter; done
gone() { ! shell_tmux list-sessions; }
wait_for 10 gone
ok "nothing is left when the last shell has ended"
