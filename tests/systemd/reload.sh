#!/usr/bin/env bash
# systemctl reload: all of it or nothing, and never at the cost of a connection.
source "$(dirname "$0")/library.sh"
install_files
systemctl start pulse-echo
process=$(main_process)

last_reload() { property StatusText | sed -n 's/.*reloaded at //p'; }

connect "$line"
kept=$connection
connect "$raw"
kept_raw=$connection
echoes "$kept" before
echoes "$kept_raw" before

# ---- a bad file changes nothing
set_key read '"10s"'
echo 'colour = "blue"' >> "$configuration"
holds "with a bad file systemctl reload fails" fails systemctl --quiet reload pulse-echo
holds_within 10 "the daemon says why" told PULSE_ECHO_EVENT=reload_failed
holds "in one record of many lines" at_least "$(field MESSAGE PULSE_ECHO_EVENT=reload_failed | wc -l)" 4
holds "which names the first mistake" grep -q 'heartbeat is pointless' <(field MESSAGE PULSE_ECHO_EVENT=reload_failed)
holds "and the second" grep -q 'unknown key' <(field MESSAGE PULSE_ECHO_EVENT=reload_failed)
holds "it is an error" equal "$(field PRIORITY PULSE_ECHO_EVENT=reload_failed)" 3
holds "the service is up" is_active
holds "its status line tells of no reload" equal "$(last_reload)" ""
holds "open connections go on" echoes "$kept" still
holds "and new ones are served" serves "$raw"

# ---- a good one changes everything it can
cat > "$configuration" <<END
[server]
workers = 1

[[listener]]
name = "line"
address = "$line"
protocol = "line"
deadlines.read = "2s"
heartbeat.interval = "off"

[[listener]]
name = "more"
address = "127.0.0.1:7009"
protocol = "line"
END
echoes "$kept_raw" now # so that it is not idle for 2 s when it is looked at
holds "with a good file systemctl reload succeeds" systemctl reload pulse-echo
holds_within 10 "a listener was added" serves 127.0.0.1:7009
holds "one was removed" fails serves "$raw"
holds "one stayed" serves "$line"
holds "the connection of the one that stayed lives on" echoes "$kept" after
holds "that of the one that went does too" echoes "$kept_raw" after
holds "it is the same process" equal "$(main_process)" "$process"
reload_is_told() { [[ $(last_reload) == 20??-??-??T??:??:??Z ]]; }
holds_within 15 "the status line tells of the reload" reload_is_told
holds "the journal tells what changed" equal "$(field PULSE_ECHO_NEW PULSE_ECHO_KEY=listener.line.deadlines.read)" 2s
holds "from what" equal "$(field PULSE_ECHO_OLD PULSE_ECHO_KEY=listener.line.deadlines.read)" 60s
holds "and what needs a restart" equal "$(field PULSE_ECHO_NEEDS_RESTART PULSE_ECHO_KEY=server.workers)" true
holds_within 10 "the new deadline holds for the old connection" told PULSE_ECHO_REASON=read_timeout PULSE_ECHO_CONN=1
holds "but not for one of another listener" echoes "$kept_raw" again

# ---- an address may widen, though the narrow one is still open; half of a change is none
one_listener 0.0.0.0:7007
holds "from loopback to all addresses" systemctl reload pulse-echo
wide() { [ "$(field PULSE_ECHO_ADDRESS PULSE_ECHO_EVENT=listening | tail -n 1)" = 0.0.0.0:7007 ]; }
holds_within 10 "takes no restart" wide
holds "and serves" serves 127.0.0.2:7007
one_listener "$line"
systemctl reload pulse-echo
holds_within 10 "nor does the way back" fails serves 127.0.0.2:7007
holds "which serves too" serves "$line"

take_port 7010
cat >> "$configuration" <<END
[[listener]]
name = "more"
address = "127.0.0.1:7009"
protocol = "line"

[[listener]]
name = "taken"
address = "127.0.0.1:7010"
protocol = "line"
END
systemctl reload pulse-echo
in_use() { grep -q 'listener "taken" cannot listen on 127.0.0.1:7010 (another socket listens there.*): Address already in use' <(records PULSE_ECHO_EVENT=reload_failed); }
holds_within 10 "a reload that wants it fails" in_use
holds "and opens no other address either" fails serves 127.0.0.1:7009
give_port_back

# ---- twenty reloads, each a change, while clients connect
start_attempts "$line"
for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  one_listener "$line" "deadlines.read = \"$((60 + turn))s\"" '[[listener]]' 'name = "turn"' "address = \"127.0.0.1:$((7010 + turn))\"" 'protocol = "raw"'
  systemctl reload pulse-echo
  within 10 serves "127.0.0.1:$((7010 + turn))" || fail "reload $turn is done"
done
end_attempts
holds "there were attempts enough" at_least "$made" 100
holds "no connection attempt was refused" equal "$refused" 0
holds "and all were served" equal "$unserved" 0
