#!/usr/bin/env bash
# The drop-in of docs/with-others.md: systemd drops the packets of all sources but those that it names.
source "$(dirname "$0")/library.sh"
install_files

awk '/^```/ { inside = $0 == "```ini"; next } inside' "$project/docs/with-others.md" > "$scratch/drop-in"
holds "the page has one drop-in" equal "$(grep -c '^IPAddressDeny=any$' "$scratch/drop-in")" 1

# allow ADDRESS: the page's drop-in, with this source in place of its own.
allow() {
  sed "s|^IPAddressAllow=.*|IPAddressAllow=$1|" "$scratch/drop-in" | drop_in pulse-echo.service
  systemctl restart pulse-echo
}

# Who is not allowed gets no answer at all.
connects() { timeout 2 bash -c "exec 3<> /dev/tcp/${line%:*}/${line##*:}"; }

allow 127.0.0.1
unsupported() { journalctl --quiet --no-pager --since="$began_at" | grep -qi 'bpf.*not supported\|not supported.*bpf'; }
! unsupported || { say "SKIPPED: this kernel has no BPF for control groups"; exit 0; }
holds "a source that is named is served" serves "$line"
allow 127.0.0.2
holds "the service is up" is_active
holds "another source is not: its packets are dropped" fails connects
holds "and the daemon has not seen it" fails told PULSE_ECHO_EVENT=refuse
