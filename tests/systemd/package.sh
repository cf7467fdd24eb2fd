#!/usr/bin/env bash
# The Debian package: installed, started, upgraded with an edited configuration, and purged without a trace.
source "$(dirname "$0")/library.sh"
[ -f "$PULSE_ECHO_PACKAGE" ] || { say "there is no package: .ci/package builds it" >&2; exit 2; }
refuse_where_installed
trap 'dpkg --purge pulse-echo > /dev/null 2>&1 || true; clean_up' EXIT

# Images for containers forbid packages to restart services; in the throw-away overlay of the lab we may.
[ -z "${SYSTEMD_LAB:-}" ] || rm -f /usr/sbin/policy-rc.d

installed_files() {
  find /etc /usr /var /run/systemd -xdev \( -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /var/tmp -o -path '/run/systemd/*' \) -prune -o -print | sort
}
# another VERSION: the same package under a higher version; its folder is $package until `pack`.
another() {
  package=$scratch/$1
  dpkg-deb --raw-extract "$PULSE_ECHO_PACKAGE" "$package"
  sed -i "s/^Version: .*/Version: $1/" "$package/DEBIAN/control"
}
pack() { dpkg-deb --root-owner-group -Zgzip -z1 --build "$package" "$package.deb" > /dev/null; }
install_package() { dpkg --install "$@" < /dev/null > "$scratch/dpkg" 2>&1 || fail "dpkg: $(< "$scratch/dpkg")"; }
version_is() { equal "$(dpkg-query --show --showformat='${Version}' pulse-echo)" "$1"; }
edited() { grep -q '^read = "75s"' "$configuration"; }

contents=$(dpkg-deb --contents "$PULSE_ECHO_PACKAGE" | awk '{ print $6 }')
for file in usr/bin/pulse-echo usr/lib/systemd/system/pulse-echo.{service,socket} etc/pulse-echo/pulse-echo.toml \
  usr/share/man/man8/pulse-echo.8.gz usr/share/man/man5/pulse-echo.toml.5.gz usr/share/bash-completion/completions/pulse-echo \
  usr/share/zsh/vendor-completions/_pulse-echo usr/share/fish/vendor_completions.d/pulse-echo.fish \
  usr/share/doc/pulse-echo/{copyright,changelog.gz,README.md,operations.md}; do
  grep -qx "\./$file" <<< "$contents" || fail "the package has $file"
done
say "the package has binary, units, configuration, manual pages, completions and documents"

installed_files > "$scratch/before"
install_package "$PULSE_ECHO_PACKAGE"
holds "installing starts nothing" fails is_active
holds "nor will a boot" fails systemctl --quiet is-enabled pulse-echo.service
holds "systemctl start does" systemctl start pulse-echo
holds "on loopback" serves "$line"
holds "and only there" fails serves 127.0.0.2:7007
holds "the installed unit is the shipped one" cmp "$project/systemd/pulse-echo.service" /usr/lib/systemd/system/pulse-echo.service

# ---- upgrades: of the program; then of the default configuration too, with the sockets held by systemd
set_key read '"75s"'
systemctl enable --quiet pulse-echo.service
process=$(main_process)
another 99.1
pack
connect "$line"
holds "a client is connected" echoes "$connection" before
install_package "$package.deb"
holds "an upgrade is installed" version_is 99.1
holds_within 20 "the new program takes over" told PULSE_ECHO_EVENT=adopted
holds "without a question it keeps the edited configuration" edited
holds "in the same process" equal "$(main_process)" "$process"
holds "with the client still connected" echoes "$connection" after
disconnect
holds "no start was needed" property_is NRestarts 0
holds "which serves" serves "$line"
holds "the unit stays enabled" systemctl --quiet is-enabled pulse-echo.service

systemctl stop pulse-echo.service
systemctl enable --quiet --now pulse-echo.socket
systemctl start pulse-echo.service
another 99.2
echo '# another default' >> "$package/etc/pulse-echo/pulse-echo.toml"
pack
start_attempts "$line"
install_package --force-confold "$package.deb"
sleep 1
end_attempts
holds "a second upgrade is installed" version_is 99.2
holds "it keeps the edited configuration beside a new default" edited
holds "which lies there too" grep -q 'another default' "$configuration.dpkg-dist"
holds "with its socket unit no client was refused meanwhile" equal "$refused" 0
holds "though there were some" at_least "$made" 10
systemctl stop pulse-echo.service 2> /dev/null # it warns that the socket may start it
install_package "$package.deb"
holds "a stopped service stays stopped" fails is_active

# ---- away
dpkg --remove pulse-echo > "$scratch/dpkg" 2>&1
holds "removing leaves the configuration" edited
holds "and nothing that runs" fails systemctl --quiet is-active pulse-echo.socket
dpkg --purge pulse-echo > "$scratch/dpkg" 2>&1
installed_files > "$scratch/after"
left=$(comm -13 "$scratch/before" "$scratch/after")
holds "purging leaves nothing" equal "$left" ""
holds "and takes nothing of others" equal "$(comm -23 "$scratch/before" "$scratch/after")" ""
