#!/usr/bin/env bash
# An administrator restarts as often as he likes.
source "$(dirname "$0")/library.sh"
install_files
systemctl start pulse-echo
for turn in first second third fourth fifth sixth seventh; do
  holds "a $turn restart in a row succeeds" systemctl restart pulse-echo
done
holds "and the service serves" serves "$line"
