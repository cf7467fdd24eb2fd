#!/usr/bin/env bash
# The shipped units: exposure, no mistakes in them, and every restriction in force in the process that serves.
source "$(dirname "$0")/library.sh"
unit=$project/systemd/pulse-echo.service

# The threshold is in tenths.
assessment=$(systemd-analyze security --offline=true --threshold=12 --no-pager "$unit") || fail "exposure is 1.2 or lower: $assessment"
say "$(tail -n 1 <<< "$assessment")"

install_files
for installed in "$units"/pulse-echo.{service,socket}; do
  complaints=$(systemd-analyze verify --recursive-errors=no "$installed" 2>&1) || fail "systemd-analyze verify: $complaints"
  holds "systemd-analyze verify has nothing to say about ${installed##*/}" equal "$complaints" ""
done

systemctl start pulse-echo
serves "$line"
process=$(main_process)

# Every yes and no of the unit is what systemd made of it.
checked=0
while IFS="=" read -r directive value; do
  [ "$value" != yes ] && [ "$value" != no ] && continue
  property_is "$directive" "$value" || fail "$directive=$value is in force"
  checked=$((checked + 1))
done < <(sed -n '/^\[Service\]/,/^\[/{/^[A-Z]/p}' "$unit")
holds "all $checked restrictions that are on or off are in force" at_least $checked 20

# And so the process itself says.
status() { sed -n "s/^$1:\s*//p" "/proc/$process/status" | cut -f 1; }
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
  holds "$set is empty" equal "$(status $set)" 0000000000000000
done
holds "it is not root" fails equal "$(status Uid)" 0
holds "it gains no privileges" equal "$(status NoNewPrivs)" 1
holds "its system calls are filtered" equal "$(status Seccomp)" 2
for namespace in mnt user ipc uts; do
  holds "it has its own $namespace namespace" fails equal "$(readlink /proc/"$process"/ns/$namespace)" "$(readlink /proc/1/ns/$namespace)"
done
mount_options() { awk -v place="$1" '$5 == place { options = $6 } END { print options }' "/proc/$process/mountinfo"; }
holds "it sees the system read-only" grep -q '^ro,' <(mount_options /)
for place in home root tmp var/tmp; do
  holds "nothing in /$place" equal "$(ls -A "/proc/$process/root/$place")" ""
done
holds "no devices but the harmless" fails ls "/proc/$process/root/dev/kmsg"
holds "no other process" grep -q 'hidepid=\(2\|invisible\),.*subset=pid\|subset=pid.*hidepid=\(2\|invisible\)' <(grep ' /proc ' "/proc/$process/mountinfo")
holds "its umask is 0077" equal "$(status Umask)" 0077
for group in @privileged @resources; do
  first=$(systemd-analyze syscall-filter $group | grep -v '[#@]' | tail -n +2 | head -n 1 | tr -d ' ')
  holds "$first of $group is not allowed" fails grep -qw "$first" <(property SystemCallFilter)
done
holds "LimitNOFILE is as shipped" property_is LimitNOFILE 1048576
holds "LogRateLimitBurst too" property_is LogRateLimitBurst 1000000000
holds "and it is not the first to be killed for memory" property_is OOMScoreAdjust -200
