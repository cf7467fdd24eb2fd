#!/usr/bin/env bash
# A broken configuration ends the start with 78, and starting is not tried again.
source "$(dirname "$0")/library.sh"
install_files

stays_down() {
  holds "$1: systemctl start fails" fails systemctl --quiet start pulse-echo
  holds "$1: the exit status is 78" property_is ExecMainStatus 78
  holds "$1: the service has failed" property_is ActiveState failed
  sleep 3 # longer than RestartSec
  holds "$1: and is not started again" property_is NRestarts 0
  holds "$1: for good" property_is ActiveState failed
}

set_key read '"10s"'
echo 'colour = "blue"' >> "$configuration"
stays_down "two mistakes"
holds "the journal names the first, as an error" grep -q 'the heartbeat is pointless, given a read deadline of 10s' <(records --priority=err)
holds "and the second" grep -q 'listener.colour: unknown key' <(records --priority=err)

rm "$configuration"
stays_down "no file"

install --mode=644 "$project/config/pulse-echo.toml" "$configuration"
holds "mended, it starts at once" systemctl start pulse-echo
holds "and serves" serves "$line"
