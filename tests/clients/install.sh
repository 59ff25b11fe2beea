#!/usr/bin/env bash
# Installs what the flows of this folder need and is missing: Debian's packages, and npm's into
# build/clients, with the versions of package-lock.json. Uses no network when all of it is there.
# Ends well without it too, after a line about each part that cannot be had; clients_test.py skips
# the flows that need it.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

source_directory=tests/clients
target=build/clients
packages=(ruby-sidekiq python3-celery python3-redis python3-flask-limiter)
# They may be from elsewhere than Debian.
for program in node:nodejs npm:npm; do
  command -v "${program%:*}" > /dev/null || packages+=("${program#*:}")
done

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2> /dev/null) == installed ]] ||
      echo "$package"
  done
}

# apt ARGUMENTS: never asks, and does not wait for a network that is not there.
apt() {
  local as_root=()
  ((EUID == 0)) || as_root=(sudo -n)
  timeout 600 "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq \
    -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o DPkg::Lock::Timeout=120 "$@"
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} > 0)) || return 0
  echo "installing: ${missing[*]}"
  apt update && apt install -y --no-install-recommends "${missing[@]}" > /dev/null
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} == 0)) || echo "cannot be installed: ${missing[*]}"
}

# The copy of the lock file is there when the whole tree is.
install_modules() {
  cmp -s "$source_directory/package-lock.json" "$target/installed-lock.json" && return
  command -v npm > /dev/null || return
  echo "installing the packages of $source_directory/package-lock.json"
  mkdir -p "$target"
  rm -f "$target/installed-lock.json"
  cp "$source_directory"/package{,-lock}.json "$target/"
  if timeout 300 npm ci --prefix "$target" --ignore-scripts --omit=optional --no-audit --no-fund \
       --no-update-notifier --fetch-retries=1 --fetch-timeout=20000; then
    cp "$target/package-lock.json" "$target/installed-lock.json"
  else
    echo "cannot be installed: the packages of npm"
  fi
}

install_packages
install_modules
# To the queue of ./dev test, this is no test.
echo "0 passed, 0 failed"
