#!/usr/bin/env bash
# Sets gym-gui up in .venv, then opens it with a demonstration run already training.
# Without a display the same run goes headless. Options are those of `gym-gui demo`.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/setup.sh

headless=
help=
for word in "$@"; do
  case "$word" in
    --headless) headless=1 ;;
    --help | -h) help=1 ;;
  esac
done

set_up ""
if [ -z "$headless$help" ]; then
  if [ "$(uname)" != Darwin ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    say "There is no display here (DISPLAY and WAYLAND_DISPLAY are not set): running headless."
    set -- --headless "$@"
  else
    need_libraries
  fi
fi
exec .venv/bin/gym-gui demo "$@"
