# What every test here starts from: the shipped units, installed as a package would, under the systemd that runs.
#
# A test is a bash script that sources this file. It gets a stopped service on the default configuration, may do with it
# what it likes, and ends at the first thing that does not hold. Whatever it installed is removed again.
#
# From the environment: PULSE_ECHO_BINARY, SERVICE_CLIENT (tests/systemd/service_client.rs) and, for package.sh, PULSE_ECHO_PACKAGE.

# The tests use what is set here.
# shellcheck shell=bash disable=SC2034

set -euo pipefail
shopt -s inherit_errexit

test_name=$(basename "$0" .sh)
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
configuration=/etc/pulse-echo/pulse-echo.toml
units=/etc/systemd/system
scratch=$(mktemp -d)
began_at=$(date +'@%s.%6N')
line=127.0.0.1:7007
raw=127.0.0.1:7008

# ---- saying what holds

say() { echo "$test_name: $*"; }

fail() {
  say "FAILED: $*" >&2
  say "the end of the journal since the test began, orderly closes left out:" >&2
  records | grep -v 'everything it sent was echoed' | tail -n 50 >&2 || true
  exit 1
}

# holds SENTENCE COMMAND...: the sentence is true if the command succeeds.
holds() {
  local sentence=$1
  shift
  "$@" || fail "$sentence"
  say "$sentence"
}

# holds_within SECONDS SENTENCE COMMAND...: it may take a while to become true.
holds_within() {
  local seconds=$1 sentence=$2
  shift 2
  within "$seconds" "$@" || fail "not within $seconds s: $sentence"
  say "$sentence"
}

# within SECONDS COMMAND...: tries until the command succeeds.
within() {
  local seconds=$1 began=$SECONDS
  shift
  until "$@" 2>/dev/null; do
    [ $((SECONDS - began)) -lt "$seconds" ] || return 1
    sleep 0.05
  done
}

fails() { ! "$@" 2>/dev/null; }
equal() { [ "$1" = "$2" ] || { echo "given '$1', wanted '$2'" >&2; return 1; }; }
at_least() { [ "$1" -ge "$2" ] || { echo "given $1, wanted at least $2" >&2; return 1; }; }
at_most() { [ "$1" -le "$2" ] || { echo "given $1, wanted at most $2" >&2; return 1; }; }

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# ---- the service

property() { systemctl show --property="$1" --value "${2:-pulse-echo.service}"; }
property_is() { equal "$(property "$1" "${3:-pulse-echo.service}")" "$2"; }
main_process() { property MainPID; }
is_active() { systemctl --quiet is-active pulse-echo.service; }

# drop_in UNIT: overrides settings of a unit, as `systemctl edit` does; the text comes on standard input.
drop_in() {
  mkdir -p "$units/$1.d"
  cat > "$units/$1.d/test.conf"
  systemctl daemon-reload
}

# set_key KEY VALUE: changes a key of the default configuration wherever it stands.
set_key() {
  sed -i "s|^$1 = [^#]*|$1 = $2 |" "$configuration"
  grep -q "^$1 = $2 " "$configuration"
}

# one_listener ADDRESS [KEY=VALUE...]: a configuration of a single listener, with some keys of its own.
one_listener() {
  printf '[[listener]]\nname = "line"\naddress = "%s"\nprotocol = "line"\n' "$1" > "$configuration"
  shift
  [ $# = 0 ] || printf '%s\n' "$@" >> "$configuration"
}

# ---- its journal

# records [FIELD=VALUE...]: as text, what the service and systemd said about it since the test began.
records() {
  journalctl --sync
  journalctl --quiet --no-pager --unit=pulse-echo.service --unit=pulse-echo.socket --since="$began_at" --output=short-precise "$@"
}

# told FIELD=VALUE...: whether the daemon said so. ("records" of its own alone: systemd's have no such fields.)
told() { [ -n "$(records "$@")" ]; }

# field NAME FIELD=VALUE...: the values of one field, one a line.
field() {
  local name=$1
  shift
  journalctl --sync
  journalctl --quiet --no-pager --unit=pulse-echo.service --since="$began_at" --output=cat --output-fields="$name" "$@"
}

# ---- its clients

# connect ADDRESS: opens a connection as file descriptor $connection.
connect() { exec {connection}<>"/dev/tcp/${1%:*}/${1##*:}"; }
disconnect() { exec {connection}>&-; }

# echoes FD WORD: whether a line comes back on a connection.
echoes() {
  local answer
  echo "$2" >&"$1" && read -r -t 10 -u "$1" answer && equal "$answer" "$2"
}

serves() { (connect "$1" && echoes "$connection" hello) 2>/dev/null; }

# take_port PORT, give_port_back: in between, somebody else listens on that port of 127.0.0.1.
take_port() {
  systemd-socket-activate --listen="127.0.0.1:$1" /bin/sleep infinity 2> /dev/null &
  holder=$!
  within 10 grep -q "$(printf ' 0100007F:%04X 00000000:0000 0A ' "$1")" /proc/net/tcp || fail "somebody takes port $1"
}

give_port_back() {
  [ -z "${holder:-}" ] || kill "$holder"
  holder=
}

# start_attempts ADDRESS, end_attempts: connection attempts in between, 200 a second; then $made, $refused, $unserved.
start_attempts() {
  exec {attempts}> >(exec "$SERVICE_CLIENT" attempts "$1" > "$scratch/attempts")
  attempts_process=$!
}

end_attempts() {
  exec {attempts}>&-
  wait "$attempts_process"
  local result
  result=$(< "$scratch/attempts")
  say "$result"
  read -r made refused unserved _ <<< "$(tr -d 'a-z_=' <<< "$result")"
}

# ---- before and after

refuse_where_installed() {
  [ "$(id -u)" = 0 ] || { say "must be root" >&2; exit 2; }
  [ -d /run/systemd/system ] || { say "systemd did not boot this machine" >&2; exit 2; }
  for file in /usr/bin/pulse-echo /etc/pulse-echo /{etc,usr/lib,lib}/systemd/system/pulse-echo{,-raw}.{service,socket}{,.d}; do
    [ ! -e "$file" ] || { say "$file is there; this test would overwrite and remove it" >&2; exit 2; }
  done
}

install_files() {
  refuse_where_installed
  trap clean_up EXIT
  install "$PULSE_ECHO_BINARY" /usr/bin/pulse-echo
  install -D --mode=644 "$project/config/pulse-echo.toml" "$configuration"
  install --mode=644 "$project"/systemd/pulse-echo.{service,socket} "$units/"
  systemctl daemon-reload
}

clean_up() {
  give_port_back
  systemctl --quiet stop pulse-echo.socket pulse-echo-raw.socket pulse-echo.service 2>/dev/null || true
  rm -rf /usr/bin/pulse-echo /etc/pulse-echo "$units"/pulse-echo{,-raw}.{service,socket}{,.d} "$scratch"
  systemctl daemon-reload
  systemctl reset-failed pulse-echo.service pulse-echo.socket pulse-echo-raw.socket 2>/dev/null || true
}
