#!/usr/bin/env bash
# Sockets that systemd opens: by name, without a refused connection during restarts, and on low ports without rights.
source "$(dirname "$0")/library.sh"
install_files

listening_on() { [ -n "$(field MESSAGE PULSE_ECHO_EVENT=listening "PULSE_ECHO_ADDRESS=$1")" ]; }

# ---- the shipped unit fits the default configuration
systemctl start pulse-echo.socket
holds "with the socket unit alone the service is down" fails is_active
holds "the first connection starts it and is served" serves "$line"
holds "now it is up" is_active
holds "and opened the other listener itself" serves "$raw"

start_attempts "$line"
for _ in 1 2 3; do systemctl restart pulse-echo; done
systemctl kill --kill-whom=main --signal=KILL pulse-echo
back() { [ "$(property NRestarts)" = 1 ] && is_active; }
holds_within 15 "restarted three times, and once after a crash" back
end_attempts
holds "meanwhile clients tried" at_least "$made" 100
holds "and no connection attempt was refused" equal "$refused" 0

# ---- a reload cannot move what systemd holds open
sed -i "s|$line|127.0.0.1:7017|" "$configuration"
systemctl reload pulse-echo
moved() { grep -q "\"line\" that was passed to pulse-echo listens on $line, but the configuration says 127.0.0.1:7017" <(field MESSAGE PULSE_ECHO_EVENT=reload_failed); }
holds_within 10 "a reload that moves the listener fails and says why" moved
holds "and the old address serves on" serves "$line"
systemctl stop pulse-echo.service pulse-echo.socket

# ---- two units, both at ports below 1024, one of them on every IPv6 address
cat > "$configuration" <<END
[[listener]]
name = "line"
address = "127.0.0.1:7"
protocol = "line"

[[listener]]
name = "raw"
address = "[::]:77"
protocol = "raw"

[[listener]]
name = "also raw"
address = "0.0.0.0:7077"
protocol = "raw"
END
sed -i 's/also raw/also-raw/' "$configuration"
drop_in pulse-echo.socket <<END
[Socket]
ListenStream=
ListenStream=127.0.0.1:7
END
# As the comment in pulse-echo.socket shows it, on another address.
sed -n 's/^#   //p' "$units/pulse-echo.socket" | sed -n '/7008/,$p' | sed '1i [Socket]' > "$units/pulse-echo-raw.socket"
sed -i 's/^ListenStream=127.0.0.1:7008/ListenStream=[::]:77/' "$units/pulse-echo-raw.socket"
systemctl daemon-reload
systemctl start pulse-echo.socket pulse-echo-raw.socket
holds "the service takes both" systemctl start pulse-echo
holds "port 7 serves" serves 127.0.0.1:7
holds "port 77 serves" serves ::1:77
holds "IPv6 only, as the configuration means it" fails serves 127.0.0.1:77
holds "beside a listener of its own" serves 127.0.0.1:7077
holds "the journal has the real address" listening_on 127.0.0.1:7
holds "the service has no capability" equal "$(sed -n 's/^CapEff:\t//p' "/proc/$(main_process)/status")" 0000000000000000
