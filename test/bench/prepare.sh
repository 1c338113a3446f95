# Sourced by scripts/bench and scripts/check-cost, at the root of the project.
# shellcheck shell=bash

# Installs what is missing of these packages and of all others that the benchmark needs.
need_packages() {
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || {
      scripts/install-packages bench
      return
    }
  done
}

# Builds the tools and, where PROGRAM does not name another one, the release preset. Says nothing where that works.
build_all() {
  local log
  log=$(mktemp)
  if ! {
    cmake -S test/bench -B build/bench-tools -G Ninja && cmake --build build/bench-tools &&
      if [[ -z ${PROGRAM:-} ]]; then cmake --preset release && cmake --build --preset release; fi
  } >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    echo "The build failed." >&2
    exit 1
  fi
  rm -f "$log"
}

# Replaces the shell by a program of Python that gets to know where everything is.
run_python() {
  exec /usr/bin/python3 "test/bench/$1.py" --tools build/bench-tools \
    --program "${PROGRAM:-build/release/dns-tls-proxy}" "${@:2}"
}
