# Set-up shared by run.sh and test.sh: sourced, from the checkout's root, with bash -eu.
# Says what it does on stderr; quick when there is nothing to do.

say() { printf '%s\n' "$*" >&2; }
die() { say "$1"; [ $# -lt 2 ] || say "  $2"; exit 1; }

find_python() {
  local name
  for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      printf '%s' "$name"
      return
    fi
  done
  die "gym-gui needs Python 3.11 or newer, and none was found." \
    "Install it ($(install_line python3 python3-venv)), or set PYTHON to its path."
}

package_manager() {
  local name
  for name in apt-get dnf pacman; do
    if command -v "$name" >/dev/null 2>&1; then printf '%s' "$name"; return; fi
  done
}

as_root() {  # prints the word that makes a command run as root; fails where that needs a password
  if [ "$(id -u)" = 0 ]; then printf ''; return; fi
  command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1 && printf 'sudo'
}

install_line() {  # the exact line that installs the system packages given
  case "$(package_manager)" in
    apt-get) printf 'sudo apt-get install -y --no-install-recommends %s' "$*" ;;
    dnf) printf 'sudo dnf install -y %s' "$*" ;;
    pacman) printf 'sudo pacman -S --needed --noconfirm %s' "$*" ;;
    *) printf "with your system's package manager: %s" "$*" ;;
  esac
}

install_packages() {  # installs system packages, or fails
  local root manager
  root=$(as_root) || return 1
  manager=$(package_manager)
  say "Installing with $manager: $*"
  case "$manager" in
    apt-get)
      $root apt-get update -qq >&2 || true
      $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
      ;;
    dnf) $root dnf install -y -q "$@" >&2 ;;
    pacman) $root pacman -S --needed --noconfirm "$@" >&2 ;;
    *) return 1 ;;
  esac
}

make_venv() {  # $1: python. A virtual environment with pip in .venv
  [ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1 && return
  say "Creating the virtual environment .venv"
  rm -rf .venv
  if "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    "$1" -m venv .venv
  elif install_packages python3-venv && "$1" -m venv .venv; then
    :
  else
    rm -rf .venv
    die "Python's venv module is not complete on this machine." \
      "Type: $(install_line python3-venv)   then run this again."
  fi
}

fingerprint() {  # changes when what is to be installed, or where, does
  cat pyproject.toml constraints.txt constraints-torch.txt scripts/setup.sh | cksum | tr ' ' '-'
  pwd -P | cksum | tr ' ' '-'
}

install_python_packages() {  # $1: extras, "" or "[dev,...]"
  local stamp=.venv/.gym-gui-installed want
  want=$(fingerprint)
  # A line of the stamp for each set of extras; any set includes what running needs.
  if [ -f "$stamp" ] && [ "$(head -n 2 "$stamp")" = "$want" ]; then
    [ -z "$1" ] && return
    grep -qxF -- "$1" "$stamp" && return
  else
    rm -f "$stamp"
  fi
  say "Installing gym-gui's Python packages (once; some minutes on a slow line)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
    -c constraints.txt -c constraints-torch.txt -e ".$1" >&2 ||
    die "The Python packages could not be installed; pip said why above." \
      "Check the connection and the free space, then run this again."
  printf '%s\n%s\n' "$want" "$1" >"$stamp"
}

need_libraries() {  # the shared libraries that Qt needs for a window
  local manager missing
  manager=$(package_manager)
  missing=$(.venv/bin/python gym_gui/commands/libraries.py "${manager:-apt-get}")
  [ -z "$missing" ] && return
  # shellcheck disable=SC2086 - a list of packages
  install_packages $missing ||
    die "Qt needs system libraries that are missing here." "Type: $(install_line $missing)"
}

set_up() {  # $1: extras
  local python
  python=$(find_python)
  make_venv "$python"
  install_python_packages "$1"
}
