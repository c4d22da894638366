#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 150
#
# 100,000 packets to 50,000 hosts that nobody knows and that never answer. The memory of the agent and what the maps
# hold stay where the first third put them; every packet is in exactly one counter; a secured pair loses nothing
# meanwhile; when the dead have aged out, a new peer is reached as always. Limits are set low enough to bite each. What may
# still grow is the agent's journal: its 4,096 pairs, some 5 MB, are touched when they are needed.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2, 10.9.2.1     private
#                                  '- - - - - - - - 10.80.0.0/15           private, 50,000 hosts, all dead
LIMITS='hold_slots = 4096
hold_queues = 2048
hold_age_seconds = 2
gate_entries = 4096
peers = 3000' SLOTS_LEAST=4000 PEERS_MOST=3000 GROWTH_MOST=8192
. "${0%/*}/hold_limits.inc"
