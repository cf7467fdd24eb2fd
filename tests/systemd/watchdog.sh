#!/usr/bin/env bash
# One event loop that hangs, of several, and the service is restarted; the journal says which one it was.
source "$(dirname "$0")/library.sh"
install_files
set_key workers 2
# The shipped unit's 20 s, shortened.
drop_in pulse-echo.service <<END
[Service]
WatchdogSec=4
END
systemctl start pulse-echo
process=$(main_process)
sleep 5 # longer than the watchdog waits
holds "a healthy service is left alone" equal "$(main_process)" "$process"

# A thread that its tracer stopped is as stuck as one in an endless loop; the others run on.
exec {freezer}> >(exec "$SERVICE_CLIENT" freeze "$process" worker-1)
began=$(milliseconds)
holds_within 10 "the journal says that an event loop does not turn" told PULSE_ECHO_EVENT=stuck
holds "which one" equal "$(field PULSE_ECHO_WORKER PULSE_ECHO_EVENT=stuck)" 1
holds "it is an error" equal "$(field PRIORITY PULSE_ECHO_EVENT=stuck)" 3

# A reload is no sign of life.
systemctl reload pulse-echo
restarted() { [ "$(main_process)" != "$process" ] && is_active; }
holds_within 30 "the watchdog restarts the service" restarted
say "stuck to serving again: $(($(milliseconds) - began)) ms"
holds "because of the watchdog" grep -q 'Watchdog timeout (limit 4s)' <(records)
holds "once" property_is NRestarts 1
holds "and it serves" serves "$line"
exec {freezer}>&-
