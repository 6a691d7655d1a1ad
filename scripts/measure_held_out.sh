#!/usr/bin/env bash
# Looks at fold 0 with the shipped bundles and writes what it sees to reports/, one line a look to reports/fold0_looks.csv.
#
#   PHENOSURE_DATA=DIR scripts/measure_held_out.sh [nuclei|mitosis]     predictions for other scorers: work-in-progress/held_out/
#
# Fold 0 is for the end: nothing is chosen on what this prints.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${PHENOSURE_DATA:?set PHENOSURE_DATA to the folder with dsb2018, mitocheck_nuclei and splits}"
looks=reports/fold0_looks.csv
[ -f "$looks" ] || echo "date,commit,bundle_sha256,what,figure" > "$looks"

look() { # bundle, task, data folder, splits, the figure that is noted
    local out=work-in-progress/held_out/$1
    cargo run --release --locked -q -- evaluate "$2" "$PHENOSURE_DATA/$3" --splits "$PHENOSURE_DATA/splits/$3.csv" --fold 0 \
        --bundle "$1" --out "$out" --json > "reports/$1_fold0.json"
    local digest figure
    digest=$(sha256sum "crates/engine/bundles/$1/manifest.json" | cut -c1-16)
    figure=$(tr -d ' \n' < "reports/$1_fold0.json" | grep -o "$4" | head -n 1 | tr ',' ';')
    echo "$(date -u +%Y-%m-%d),$(git rev-parse --short HEAD),$digest,$2 $3 fold 0,$figure" >> "$looks"
}

case ${1:-all} in nuclei|all) look nuclei segment dsb2018 '"kind":"fluorescence","images":[0-9]*,"objects":[0-9]*,"predicted":[0-9]*,"mean_ap":\[[^]]*\]' ;; esac
case ${1:-all} in mitosis|all) look mitosis classify mitocheck_nuclei '"macro_f1":{[^}]*},"nll":{[^}]*}' ;; esac
