#!/usr/bin/env bash
# 20,000 connections end at once: 20,000 records are in the journal.
source "$(dirname "$0")/library.sh"
install_files
count=20000
systemctl start pulse-echo
"$SERVICE_CLIENT" burst "$line" $count
closes() { field PULSE_ECHO_CONN PULSE_ECHO_EVENT=close | wc -l; }
all_told() { [ "$(closes)" -ge $count ]; }
holds_within 60 "every close has its record" all_told
holds "and only one" equal "$(field PULSE_ECHO_CONN PULSE_ECHO_EVENT=close | sort -u | wc -l)" $count
# A low descriptor limit made some of them end before the others: look at the most.
most=$((count * 95 / 100))
stamps=$(field _SOURCE_REALTIME_TIMESTAMP PULSE_ECHO_EVENT=close | sort -n | tail -n $most | sed -n '1p;$p' | tr '\n' ' ')
read -r first last <<< "$stamps"
took=$(((last - first) / 1000))
say "$most of them were written within $took ms"
holds "it was a burst" at_most $took 5000
holds "journald suppressed nothing" fails grep -q 'Suppressed' <(journalctl --quiet --since="$began_at")
systemctl stop pulse-echo
holds "the daemon counts no lost record" equal "$(field PULSE_ECHO_LOG_LOST PULSE_ECHO_EVENT=summary | tail -n 1)" 0
