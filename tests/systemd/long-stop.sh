#!/usr/bin/env bash
# A stop may take as long as server.shutdown_grace says, even where the unit would not wait that long.
source "$(dirname "$0")/library.sh"
install_files
set_key shutdown_grace '"6s"'
drop_in pulse-echo.service <<END
[Service]
TimeoutStopSec=2
END
systemctl start pulse-echo
connect "$line"
echoes "$connection" hello
began=$(milliseconds)
systemctl stop pulse-echo
took=$(($(milliseconds) - began))
say "the stop took $took ms"
holds "a peer that does not close had all of its grace" at_least "$took" 6000
holds "and no more" at_most "$took" 9000
holds "systemd saw a clean stop" property_is Result success
holds "it sent no SIGKILL" property_is ExecMainStatus 0
holds "the connection's record says why it ended" told PULSE_ECHO_EVENT=close PULSE_ECHO_REASON=server_shutdown
holds "the drain was announced" told PULSE_ECHO_EVENT=drain
