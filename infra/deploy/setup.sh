#!/usr/bin/env bash
# Install what Lorecast needs on this machine and what is missing: system packages, uv, Python packages, the pages.
# Says nothing and takes about a second when all is there. Works as root and as a normal user.
#   setup.sh [--tests]     --tests: what the tests need as well, such as a browser
set -euo pipefail
cd "$(dirname "$0")/../.."

UV_VERSION=0.13.9
export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-180}" UV_HTTP_RETRIES="${UV_HTTP_RETRIES:-8}"
export PIP_DEFAULT_TIMEOUT="${PIP_DEFAULT_TIMEOUT:-180}" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"   # certificates the machine trusts, such as a company's own
unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# May we install packages? Prints the words to put before apt-get, or fails.
as_root() {
  if [ "$(id -u)" = 0 ]; then return 0; fi
  if have sudo && sudo -n true 2>/dev/null; then printf 'sudo'; return 0; fi
  return 1
}

install_packages() {
  local first
  if ! have apt-get; then
    fail "Missing on this machine: $*. Please install them (the names are those of Debian) and run make again."
  fi
  if ! first=$(as_root); then
    fail "Missing on this machine: $*. Please run this once, then make again:
    sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
  fi
  say "installing $* with apt-get"
  local log
  log=$(mktemp)
  if ! try_apt "$first" "$@" >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    fail "apt-get could not install $*. Nothing else was changed. Please install them and run make again."
  fi
  rm -f "$log"
}

try_apt() {
  local first=$1
  shift
  local apt=($first env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"
}

system_packages() {
  local missing=()
  have python3 || missing+=(python3)
  { have ffmpeg && have ffprobe; } || missing+=(ffmpeg)
  have bwrap || missing+=(bubblewrap)
  { have setpriv && have flock; } || missing+=(util-linux)
  if [ ! -x .tools/uv/bin/uv ] && ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
    missing+=(python3-venv python3-pip)
  fi
  if [ ${#missing[@]} -gt 0 ]; then install_packages "${missing[@]}"; fi
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or newer is needed; python3 here is $(python3 -V 2>&1)."
}

# Ubuntu 23.10 and newer: AppArmor keeps user namespaces from programs without a profile of their own, and bubblewrap
# had none before 25.04. What the machine's security allows is its owner's decision, so the line is printed, not run.
sandbox() {
  if [ "${LORECAST_SANDBOX:-}" = none ] || bwrap --unshare-all --ro-bind / / true 2>/dev/null; then return; fi
  if [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" = 1 ]; then
    fail "AppArmor does not let bubblewrap, which keeps uploads away from this machine, work. Please run this once:
    sudo cp infra/deploy/apparmor-bwrap /etc/apparmor.d/bwrap && sudo apparmor_parser -r /etc/apparmor.d/bwrap"
  fi
  say "bubblewrap does not work here: $(bwrap --unshare-all --ro-bind / / true 2>&1 | head -n 1)"
  say "Workers will refuse to open uploads. In a container, allow user namespaces; or set LORECAST_SANDBOX=none."
}

tool_uv() {
  if [ "$(.tools/uv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" = "$UV_VERSION" ]; then return; fi
  say "installing uv $UV_VERSION into .tools"
  rm -rf .tools/uv
  python3 -m venv .tools/uv
  .tools/uv/bin/python -m pip install --quiet --retries 8 "uv==$UV_VERSION" ||
    fail "uv could not be installed. Please check the connection to the package index and run make again."
}

python_packages() {
  local stamp=.venv/.lorecast-installed want
  want=$( (pwd && cat uv.lock pyproject.toml) | sha256sum | cut -d' ' -f1)
  if [ -x .venv/bin/lorecast ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && .venv/bin/python -c ''; then return; fi
  say "installing the Python packages of uv.lock into .venv (about 1.5 GB the first time)"
  # --inexact: what a developer has added stays.
  .tools/uv/bin/uv sync --frozen --inexact --quiet ||
    fail "The Python packages could not be installed. What is there is kept: run make again to go on."
  printf '%s\n' "$want" >"$stamp"
}

browser() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    # Ubuntu's chromium-browser only starts a snap, which cannot be driven from here.
    if have "$name" && ! grep -qs '/snap/' "$(command -v "$name")"; then return; fi
  done
  if grep -qs '^ID=debian' /etc/os-release; then
    install_packages chromium fonts-dejavu-core
  else
    say "there is no Chromium that can be driven from here (a snap cannot): the browser tests will be skipped."
    say "To have them, install Chromium or Google Chrome as a package of the system."
  fi
}

system_packages
sandbox
mkdir -p .tools
exec 9>.tools/lock
flock 9   # two makes at once: the second waits, then finds everything there
tool_uv
python_packages
.venv/bin/python infra/deploy/build_web.py
if [ "${1:-}" = --tests ]; then
  browser
  # Hosts of their own for workers are network namespaces, which root alone can make.
  if [ "$(id -u)" = 0 ] && ! have ip && have apt-get; then install_packages iproute2; fi
fi
