#!/usr/bin/env python3
"""Writes reports/card_<bundle>.md and its loss curves from the bundle's manifest, the training's curves and the look at fold 0.

  scripts/model_card.py nuclei mitosis        (standard library only; run scripts/measure_held_out.sh first)
"""
import csv
import glob
import json
import os
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
SPLITS = {
    "nuclei": "Folds by mosaic group (tiles of one picture stay together); fold 0 is never trained on.",
    "mitosis": "Folds by siRNA spot (replicate movies of a well stay together); fold 0 and the four untaught classes are never trained on.",
}
LIMITS = {
    "nuclei": "Weak on stained tissue and brightfield (see the table). Outlines of crowded, blurred nuclei follow the bright core where people drew the glow. "
    "P50, P70 and P90 are fitted on single members' held-out objects and used on the pooled ensemble.",
    "mitosis": "HeLa H2B-GFP nuclei only; a plate whose controls do not look like them fails the gate and gets no class names. Averaging eight members makes the pool "
    "under-confident (slope above 1): the temperature is fitted on pools of two members, since no more never saw a calibration cell. MetaphaseAlignment and SmallIrregular are confused most. "
    "Grape is hardly told from the taught classes; known SmallIrregular cells are called new too often.",
}
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555", "#a6761d"]


def interval(e, digits=3):
    if e["value"] is None:
        return "not estimable"
    text = f"{e['value']:.{digits}f}"
    return text if e["lower"] is None else f"{text} [{e['lower']:.{digits}f}, {e['upper']:.{digits}f}]"


def curves(name):
    """Loss by step of every member as one SVG."""
    members = []
    for path in sorted(glob.glob(os.path.join(ROOT, "reports", "curves", f"{name}_member_*.csv"))):
        rows = list(csv.DictReader(open(path)))
        members.append([(int(r["step"]), float(r["loss"])) for r in rows])
    if not members:
        return None
    width, height, left, bottom = 640, 260, 48, 32
    last = max(p[-1][0] for p in members)
    low, high = min(y for p in members for _, y in p), max(y for p in members for _, y in p)
    x = lambda s: left + (width - left - 12) * s / last
    y = lambda v: 12 + (height - bottom - 12) * (high - v) / (high - low)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
             f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for k in range(5):
        v = low + (high - low) * k / 4
        parts.append(f'<line x1="{left}" x2="{width - 12}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="#ddd"/><text x="{left - 6}" y="{y(v) + 4:.1f}" text-anchor="end" fill="#333">{v:.2f}</text>')
        s = last * k / 4
        parts.append(f'<text x="{x(s):.1f}" y="{height - 14}" text-anchor="middle" fill="#333">{s:.0f}</text>')
    for k, points in enumerate(members):
        line = " ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLORS[k % len(COLORS)]}" stroke-width="1.2"><title>member {k}</title></polyline>')
    parts.append(f'<text x="{width / 2}" y="{height - 2}" text-anchor="middle" fill="#333">step; one line a member, mean training loss of 50 steps</text></svg>')
    path = os.path.join(ROOT, "reports", "curves", f"{name}.svg")
    open(path, "w").write("\n".join(parts) + "\n")
    return f"curves/{name}.svg"


def held_out(name, figures):
    out = []
    if name == "nuclei":
        out += ["| images of fold 0 | n | objects | AP@0.5 | AP@0.7 | AP@0.9 |", "|---|---|---|---|---|---|"]
        for k in figures["kinds"]:
            out.append(f"| {k['kind']} | {k['images']} | {k['objects']} | " + " | ".join(interval(e) for e in k["mean_ap"]) + " |")
        out += ["", "| outline's confidence, objects of fold 0 | n | mean probability | share that is right | difference [95 % over groups] | ECE; by chance alone 5/50/95 % | AUROC right against wrong |", "|---|---|---|---|---|---|---|"]
        for o in figures["outlines"]:
            chance = " / ".join(f"{c:.3f}" for c in o["ece_chance"])
            out.append(f"| IoU ≥ {o['iou']:.1f} | {o['n']} | {o['mean_probability']:.3f} | {o['share']:.3f} | {interval(o['probability_minus_share'])} | {o['ece']:.3f}; {chance} | {o['auroc']:.3f} |")
        return out
    f = figures
    chance = f["ece_chance"]
    out += [f"{f['cells']} known cells of fold 0 in {f['groups']} groups; {f['untaught_cells']} untaught cells, out-of-focus cells apart.", "", "| figure | value [95 % over groups] |", "|---|---|"]
    for key in ["accuracy", "macro_f1", "nll", "brier", "calibration_slope", "confidence_minus_accuracy", "coverage", "realised_level"]:
        words = {"coverage": "coverage of 90 % sets", "realised_level": "known cells with P_Known ≤ 0.05"}.get(key, key.replace("_", " "))
        out.append(f"| {words} | {interval(f[key])} |")
    out.append(f"| ECE, 15 equal-mass bins | {f['ece']:.3f}; chance alone gives {chance[0]:.3f} / {chance[1]:.3f} / {chance[2]:.3f} (5, 50, 95 %) |")
    out.append(f"| mean set size; empty sets | {f['mean_set_size']:.2f}; {f['empty_sets']:.3f} |")
    fdp = "nothing was declared" if f["false_discovery_proportion"] is None else f"{f['false_discovery_proportion']:.3f}"
    out.append(f"| single cells declared new at FDR 0.1: false share; power | {fdp}; {f['power']:.3f} |")
    out += ["", "| class | n | recall | precision | F1 | coverage | called new |", "|---|---|---|---|---|---|---|"]
    for c in f["classes"]:
        out.append(f"| {c['class']} | {c['n']} | {c['recall']:.2f} | {c['precision']:.2f} | {c['f1']:.2f} | {c['coverage']:.2f} | {c['called_new']:.2f} |")
    out += ["", "| novelty score | class | n | AUROC | found at 1 % | found at 5 % |", "|---|---|---|---|---|---|"]
    for s in f["novelty"]:
        out.append(f"| {s['score']} | all untaught | {s['auroc']['n']} | {interval(s['auroc'])} | {interval(s['found_at_1'])} | {interval(s['found_at_5'])} |")
        for c in s["classes"]:
            out.append(f"| | {c['class']} | {c['n']} | {interval(c['auroc'])} | | {interval(c['found_at_5'])} |")
    return out


def card(name):
    manifest = json.load(open(os.path.join(ROOT, "crates/engine/bundles", name, "manifest.json")))
    figures = json.load(open(os.path.join(ROOT, "reports", f"{name}_fold0.json")))
    looks = [r for r in csv.DictReader(open(os.path.join(ROOT, "reports/fold0_looks.csv"))) if ("dsb2018" in r["what"]) == (name == "nuclei")]
    out = [f"# Model card: `{name}`", "", "Made by `scripts/model_card.py` from the bundle's manifest, `reports/curves` and the look at fold 0.", "",
           "| | |", "|---|---|",
           f"| task, network | {manifest['task']}, `{json.dumps(manifest['network'])}` |",
           f"| members; seeds; fold that each never saw | {manifest['members']}; {manifest['member_seeds']}; {manifest['member_folds']} |",
           f"| data | {'; '.join(manifest['data'])} |",
           f"| licence of the weights | {manifest['licence']} |",
           f"| split | {SPLITS[name]} |",
           "| made by | `scripts/train_pretrained.sh " + name + "`, seed 0; recipe and lengths are the defaults of `train` |",
           f"| looks at fold 0 | {len(looks)}, listed in `reports/fold0_looks.csv`; no network, threshold or calibration was chosen on them |", "",
           "## Held-out figures (fold 0, seen by no member)", ""]
    out += held_out(name, figures)
    out += ["", "## Out-of-fold figures (folds 1–4, single members on the fold that they never saw)", "", "| figure | value |", "|---|---|"]
    out += [f"| {key} | {value} |" for key, value in manifest["held_out"].items()]
    picture = curves(name)
    if picture:
        out += ["", "## Training", "", f"![Training loss of every member]({picture})"]
    out += ["", "## When not to trust it", "", LIMITS[name], ""]
    open(os.path.join(ROOT, "reports", f"card_{name}.md"), "w").write("\n".join(out))


for bundle in sys.argv[1:] or ["nuclei", "mitosis"]:
    card(bundle)
