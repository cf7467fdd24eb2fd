#!/usr/bin/env bash
# An administrator restarts as often as he likes, and the connections stay; a stop ends them.
source "$(dirname "$0")/library.sh"
install_files
set_key shutdown_grace '"1s"'
systemctl start pulse-echo
connect "$line"
holds "a client is connected" echoes "$connection" hello
on_line=$connection
connect "$raw"
on_raw=$connection
printf 'half a' >&"$on_line"
start_attempts "$line"
for turn in first second third fourth fifth sixth seventh; do
  holds "a $turn restart in a row succeeds" systemctl restart pulse-echo
  holds "and keeps the raw client" echoes "$on_raw" "$turn"
done
sleep 0.2
end_attempts
holds "each program took the connections of the one before" equal "$(field PULSE_ECHO_LOST PULSE_ECHO_EVENT=adopted | sort | uniq -c | tr -d ' \n')" 70
read -r -n 6 -t 10 -u "$on_line" half
holds "half a line came back" equal "$half" "half a"
holds "and the rest of it does" echoes "$on_line" line
holds "nothing is left in the store" property_is NFileDescriptorStore 0
systemctl kill --kill-whom=main --signal=USR2 pulse-echo
holds_within 20 "an upgrade in place after a restart keeps them too" echoes "$on_raw" upgraded
took_over() { [ "$(field PULSE_ECHO_LOST PULSE_ECHO_EVENT=adopted | wc -l)" = 8 ]; }
holds_within 20 "by another program" took_over
holds "it serves" serves "$line"

# ---- a new program that could not go on
echo nonsense >> "$configuration"
holds "a restart with a broken configuration fails" fails systemctl --quiet restart pulse-echo
holds "and the old program said why it leaves nobody behind" told PULSE_ECHO_EVENT=handover_failed
holds "the client was told" fails echoes "$on_raw" more
sed -i '$d' "$configuration"
holds "mended, it starts" systemctl start pulse-echo
holds "nothing is left in the store" property_is NFileDescriptorStore 0

# ---- a stop
connect "$line"
holds "a client is connected" echoes "$connection" hello
systemctl stop pulse-echo
holds "a stop ends its connection" told PULSE_ECHO_REASON=server_shutdown
