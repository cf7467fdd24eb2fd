#!/usr/bin/env bash
# `systemctl start` returns when clients can connect, not before; and says so when they never will.
source "$(dirname "$0")/library.sh"
install_files

start_and_connect() {
  systemctl start pulse-echo && serves "$line" && serves "$raw" && systemctl stop pulse-echo
}

for _ in 1 2 3 4 5 6 7 8 9 10; do
  start_and_connect || fail "a client can connect as soon as systemctl start returns"
done
say "ten times, clients could connect as soon as systemctl start had returned"

systemctl start pulse-echo
holds "systemd waits for its notification" property_is Type notify
connect "$line"
echoes "$connection" hello
status() { [[ $(property StatusText) == "$1" ]]; }
holds_within 15 "the status line counts the open connection" status "1 open; closed: 0 in good order, 0 lost; refused: 0"
disconnect
holds_within 15 "and its end" status "0 open; closed: 1 in good order, 0 lost; refused: 0"

systemctl stop pulse-echo
holds "a stop is a success" property_is Result success
holds "with exit status 0" property_is ExecMainStatus 0
holds "and the last word is in the journal" told PULSE_ECHO_EVENT=stopped

# Somebody else has the address.
take_port 7007
holds "an address that is taken fails the start" fails systemctl --quiet start pulse-echo
holds "the exit status says so" property_is ExecMainStatus 69
holds "the journal names listener and address" grep -q "listener \"line\" cannot listen on $line" <(records)
give_port_back
holds_within 15 "once the address is free, the service comes up by itself" serves "$line"
