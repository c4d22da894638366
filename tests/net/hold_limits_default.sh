#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 400
#
# hold_limits.sh with the limits that every host has which sets none: 100,000 packets to 50,000 hosts that never answer.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2, 10.9.2.1     private
#                                  '- - - - - - - - 10.80.0.0/15           private, 50,000 hosts, all dead
LIMITS='' SLOTS_LEAST=16000 PEERS_MOST=65536 GROWTH_MOST=16384
. "${0%/*}/hold_limits.inc"
