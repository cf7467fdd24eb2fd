#!/usr/bin/env bash
# The journal has every close with its fields and the right priority, and is asked by them.
source "$(dirname "$0")/library.sh"
install_files
one_listener "$line" 'deadlines.read = "off"' 'heartbeat.interval = "300ms"' 'heartbeat.timeout = "300ms"' 'heartbeat.max_missed = 2'
systemctl start pulse-echo

# ---- a peer that hangs, and one that does not
connect "$line"
echoes "$connection" hello
hung=$connection
serves "$line"
holds_within 15 "the hung peer is found" told PULSE_ECHO_REASON=heartbeat_timeout
exec {hung}>&-

lost=PULSE_ECHO_REASON=heartbeat_timeout
value_is() { equal "$(field "$2" "$1")" "$3"; }
holds "journalctl finds its record by reason, once" value_is $lost PULSE_ECHO_EVENT close
holds "with the verdict" value_is $lost PULSE_ECHO_VERDICT peer_hung
holds "the listener" value_is $lost PULSE_ECHO_LISTENER line
holds "the connection" value_is $lost PULSE_ECHO_CONN 1
holds "its bytes" value_is $lost PULSE_ECHO_RX_BYTES 6
holds "its probes" value_is $lost PULSE_ECHO_PROBES_MISSED 2
holds "and its peer" grep -q '^127\.0\.0\.1:[0-9]*$' <(field PULSE_ECHO_PEER $lost)
holds "what is not known is absent" value_is $lost PULSE_ECHO_RTT_US ""
holds "it is a warning" value_is $lost PRIORITY 4
holds "an orderly end is information" value_is PULSE_ECHO_REASON=peer_closed PRIORITY 6
holds "so journalctl -p warning has the one" told --priority=warning $lost
holds "and not the other" fails told --priority=warning PULSE_ECHO_REASON=peer_closed
holds "they came by journald's native protocol" value_is $lost _TRANSPORT journal
holds "under the name of the daemon" value_is $lost SYSLOG_IDENTIFIER pulse-echo

# ---- many lines are one record
echo 'colour = "blue"' >> "$configuration"
systemctl kill --kill-whom=main --signal=HUP pulse-echo
holds_within 10 "a failed reload" told PULSE_ECHO_EVENT=reload_failed
holds "is one record" equal "$(journalctl --quiet --unit=pulse-echo --since="$began_at" --output=json PULSE_ECHO_EVENT=reload_failed | wc -l)" 1
holds "of two lines" equal "$(field MESSAGE PULSE_ECHO_EVENT=reload_failed | wc -l)" 2

# ---- a journal that does not take records holds up no connection, and gets them later
journal_process=$(property MainPID systemd-journald.service)
resume_journal() { kill -CONT "$journal_process"; }
trap 'resume_journal; clean_up' EXIT
# However they end: on a busy machine a PING may still be unread when a client closes.
before=$(field PULSE_ECHO_CONN PULSE_ECHO_EVENT=close | wc -l)
kill -STOP "$journal_process"
"$SERVICE_CLIENT" burst "$line" 2000
holds "while journald is stopped connections are served" serves "$line"
resume_journal
all_there() { [ $(($(field PULSE_ECHO_CONN PULSE_ECHO_EVENT=close | wc -l) - before)) = 2001 ]; }
holds_within 30 "and none of their records is lost" all_there

# ---- the last words are found under the unit, though the process is gone right after them
systemctl stop pulse-echo
holds "the last record is told" told PULSE_ECHO_EVENT=stopped
holds "the totals before it agree" equal "$(field PULSE_ECHO_ACCEPTED PULSE_ECHO_EVENT=stopped)" "$(field PULSE_ECHO_CLOSED PULSE_ECHO_EVENT=stopped)"
