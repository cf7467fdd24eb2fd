#!/usr/bin/env bash
# Sockets that do not fit the configuration: said plainly, exit status 78, and no endless restarts.
source "$(dirname "$0")/library.sh"
install_files

# mismatch WHAT MESSAGE: what pulse-echo.socket and the configuration say now must not start, and be told like this.
mismatch() {
  systemctl start pulse-echo.socket
  holds "$1: systemctl start fails" fails systemctl --quiet start pulse-echo.service
  holds "$1: the exit status is 78" property_is ExecMainStatus 78
  holds "$1: the journal says what is wrong" grep -qF "$2" <(field MESSAGE PULSE_ECHO_EVENT=fatal)
  sleep 2 # longer than RestartSec
  holds "$1: it is not tried again" property_is NRestarts 0
  systemctl stop pulse-echo.socket
  systemctl reset-failed
}

no_listener='has the name of no listener in the configuration, or of one that has its socket already'

drop_in pulse-echo.socket <<< $'[Socket]\nFileDescriptorName=lines'
mismatch "another name" "the socket \"lines\" that was passed to pulse-echo $no_listener"

drop_in pulse-echo.socket <<< $'[Socket]\nFileDescriptorName='
mismatch "no name" "the socket \"pulse-echo.socket\" that was passed to pulse-echo $no_listener"

drop_in pulse-echo.socket <<< $'[Socket]\nListenStream=127.0.0.1:7009'
mismatch "two sockets of one name" "the socket \"line\" that was passed to pulse-echo $no_listener"

drop_in pulse-echo.socket <<< $'[Socket]\nListenStream=\nListenStream=127.0.0.1:7009'
mismatch "another address" "listens on 127.0.0.1:7009, but the configuration says $line"

drop_in pulse-echo.socket <<< $'[Socket]\nListenStream=\nListenDatagram=127.0.0.1:7007'
mismatch "a datagram socket" 'is not a listening stream socket'

# A client that waits on the socket makes systemd try, but not for ever.
drop_in pulse-echo.socket <<< $'[Socket]\nFileDescriptorName=lines'
began_at=$(date +'@%s.%6N')
systemctl start pulse-echo.socket
connect "$line"
gave_up() { property_is ActiveState failed pulse-echo.socket; }
holds_within 20 "a waiting client: the socket unit gives up too" gave_up
holds "and says that it was triggered too often" property_is Result trigger-limit-hit pulse-echo.socket
holds "after a few starts" at_most "$(field MESSAGE PULSE_ECHO_EVENT=fatal | wc -l)" 10
disconnect
rm -r "$units/pulse-echo.socket.d"
systemctl daemon-reload
holds "mended, the socket unit is restarted" systemctl restart pulse-echo.socket
holds "and the service serves" serves "$line"
