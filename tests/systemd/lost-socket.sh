#!/usr/bin/env bash
# A socket from systemd that dies under the service: it is started again, and does not stay down.
source "$(dirname "$0")/library.sh"
install_files

# shut_down: shutdown(2) on the first descriptor that was passed to the service, as any of its holders can do it.
shut_down() {
  perl -e 'my $process = syscall(434, $ARGV[0] + 0, 0); # pidfd_open
    my $number = syscall(438, $process, 3, 0); # pidfd_getfd
    open(my $socket, "+<&=", $number) or die; shutdown($socket, 2) or die' "$(main_process)"
}

is_lost() { [ -n "$(records PULSE_ECHO_EVENT=listener_lost)" ]; }
is_restarted() { property_is NRestarts 1 && is_active; }

systemctl start pulse-echo.socket
systemctl start pulse-echo.service
holds "the service serves the socket" serves "$line"

shut_down
holds_within 10 "shut down, the socket is told to be lost" is_lost
holds_within 20 "the service is started again" is_restarted
holds "systemd has given the socket up" property_is Result resources pulse-echo.socket
holds "the service opens one of its own" serves "$line"

# ---- as docs/operations.md has it
systemctl stop pulse-echo.service
systemctl start pulse-echo.socket pulse-echo.service
holds "stopped once, it gets one from systemd again" property_is ActiveState active pulse-echo.socket
holds "and serves it" serves "$line"
