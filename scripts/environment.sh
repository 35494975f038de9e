# Sourced by the scripts beside it, which set `scripts` to their folder, and `developer` to yes where they need the
# packages of developers: sets `root` and `python`, after setting the checkout up where that is still to do. A warm start
# runs no other program: the stamp is compared in the shell.

root=$(CDPATH='' cd -- "$scripts/.." && pwd -P)
python=$root/.venv/bin/python

# Print the first Python that can make the environment; nothing if there is none.
find_python() {
    local candidate needs='import sys; sys.exit(sys.version_info < (3, 11))'
    command -v uv >/dev/null || needs="import ensurepip, venv; $needs"
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if command -v "$candidate" >/dev/null && "$candidate" -c "$needs" 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    command -v uv >/dev/null && uv python find '>=3.11' 2>/dev/null
    return 0
}

set_up() {
    local base
    base=$(find_python)
    if [[ -z $base ]]; then
        echo "ipusim: needs Python 3.11 or newer with its venv module (on Debian: apt install python3-venv), or uv" >&2
        exit 1
    fi
    "$base" "$root/scripts/bootstrap.py" "$root" ${developer:+dev} || exit $?
}

expected="$root"$'\n'"$(<"$root/scripts/requirements.txt")"$'\n'"$(<"$root/scripts/bootstrap.py")"$'\n'
if [[ -n ${developer:-} ]]; then
    expected+="$(<"$root/scripts/requirements-dev.txt")"$'\n'
fi
if [[ ! -x $python || ! -r $root/.venv/ipusim.stamp || $(<"$root/.venv/ipusim.stamp")$'\n' != "$expected"* ]]; then
    set_up
fi
