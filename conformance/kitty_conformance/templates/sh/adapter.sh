#!/bin/sh
# An adapter: what kitty-conform asks, and what your implementation answers.
#
#   kitty-conform run "exec:sh adapter.sh"

# One request a line, until stdin ends: {"id": 7, "operation": "state", "root": "/...", "mission": "..."}. Stderr is free text.
while IFS= read -r request; do
    id=$(printf '%s\n' "$request" | sed 's/^{"id": \([0-9]*\),.*/\1/')
    operation=$(printf '%s\n' "$request" | sed 's/^{"id": [0-9]*, "operation": "\([a-z_]*\)".*/\1/')
    case $operation in
    hello)
        # What you claim in "capabilities" is judged; what you do not claim is not applicable.
        outcome='"ok": {"name": "my-implementation", "version": "0.1", "protocol": 1, "profile": "contract-320", "capabilities": []}'
        ;;
    # 1. state is asked of everybody: read the log of the mission (jq -r .mission) in the root (jq -r .root), and answer
    #        outcome='"ok": {"log": "active", "lanes": {"WP01": "claimed"}}'
    #    A log that you refuse: outcome='"failed": {"message": "line 7 is not JSON", "line": 7}'
    # 2. open, in the same way.
    # 3. Claim "write" and answer transition; then "events", "snapshot" and what else you have.
    *)
        outcome="\"unsupported\": {\"reason\": \"$operation is not there yet\"}"
        ;;
    esac
    printf '{"id": %s, %s}\n' "$id" "$outcome"
done
