#!/usr/bin/env bash
# The demo with one thread, with two, and killed at three random moments and started again: all must give the same bytes.
# Prints one line a comparison and the times; used for reports/FIGURES.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
binary=${PHENOSURE:-target/release/phenosure}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

timed() { local start=$SECONDS; "$@" > /dev/null 2>&1; echo $((SECONDS - start)); }
# Digests of all that a run leaves: tables, report, journal, run.json.
digests() { (cd "$1/run" && find . -type f | sort | xargs sha256sum); }

echo "2 threads: $(timed "$binary" demo --threads 2 --out "$work/two") s"
echo "1 thread: $(timed "$binary" demo --threads 1 --out "$work/one") s"
files=$(digests "$work/two" | wc -l)
if diff <(digests "$work/one") <(digests "$work/two"); then echo "1 and 2 threads: $files files identical"; else echo "1 and 2 threads: DIFFERENT"; fi

for round in 1 2 3; do
    "$binary" demo --threads 2 --out "$work/killed" > /dev/null 2>&1 &
    process=$!
    moment=$((5 + RANDOM % 25))
    sleep "$moment"
    kill -9 "$process" 2> /dev/null || true
    wait "$process" 2> /dev/null || true
    echo "kill -9 after $moment s: $(find "$work/killed/run/sites" -name '*.parquet' 2> /dev/null | wc -l) sites were done"
done
echo "run again: $(timed "$binary" demo --threads 2 --out "$work/killed") s"
if diff <(digests "$work/killed") <(digests "$work/two"); then echo "killed and resumed: $files files identical"; else echo "killed and resumed: DIFFERENT"; fi
