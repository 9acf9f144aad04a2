#!/usr/bin/env bash
# Sets up the development environment in .venv, then checks style, layers and types and runs
# every test, headless. Words given are passed to pytest instead of its defaults.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/setup.sh

set_up "[dev,cleanrl,sb3,spade,envs,export,ray]"
need_libraries
command -v Xvfb >/dev/null 2>&1 || install_packages xvfb ||
  die "The tests of the real window need Xvfb." "Type: $(install_line xvfb)"
[ -x /usr/sbin/sshd ] || install_packages openssh-server ||
  die "The tests of another machine need OpenSSH's server." "Type: $(install_line openssh-server)"
command -v sqlite3 >/dev/null 2>&1 || install_packages sqlite3 || install_packages sqlite ||
  die "A test reads a run with SQLite's own shell." "Type: $(install_line sqlite3)"
command -v spin >/dev/null 2>&1 || install_packages spin ||
  say "Without spin the ring's model is not checked. Type: $(install_line spin)"

export QT_QPA_PLATFORM=offscreen
bin=.venv/bin
failed=
check() {
  say "== $*"
  "$bin/$@" || failed="$failed $1"
}
if [ $# = 0 ]; then
  check ruff check .
  check ruff format --check -q .
  check lint-imports
  check pyright
fi
[ -z "$failed" ] || say "Failed so far:$failed"
say "== pytest $*"
"$bin/python" -m pytest "$@" || failed="$failed pytest"
[ -z "$failed" ]
