#!/usr/bin/env bash
# A crash, or many in a row: the service comes back each time.
source "$(dirname "$0")/library.sh"
install_files
systemctl start pulse-echo

# The runtime takes the first SIGSEGV that comes from outside for a fault, restores the default action and goes on: a
# real fault would happen again at once.
heeds_no_segv() { grep -q '^SigCgt:.*[0-389ab]..$' "/proc/$process/status"; }

crash() {
  systemctl kill --kill-whom=main --signal=SEGV pulse-echo
  within 5 heeds_no_segv || fail "the runtime gave its handler up"
  systemctl kill --kill-whom=main --signal=SEGV pulse-echo
}

restarted() { [ "$(main_process)" != "$process" ] && is_active && serves "$line"; }

restarts_after() {
  local began
  process=$(main_process)
  began=$(milliseconds)
  "${@:2}"
  within 15 restarted || fail "after $1 it is restarted"
  say "after $1 it serves again in $(($(milliseconds) - began)) ms"
}

restarts_after "a fault" crash
holds "the journal names the signal" grep -q 'status=11/SEGV' <(records)
for turn in second third fourth fifth sixth; do
  restarts_after "a $turn end" systemctl kill --kill-whom=main --signal=KILL pulse-echo
done
holds "each was one restart" property_is NRestarts 6
