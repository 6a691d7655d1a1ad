#!/usr/bin/env python3
"""Measures the nuclei that virtual movies are made of: crates/testkit/data/nuclei.csv, one row a nucleus.

  virtual_nuclei.py DATA_FOLDER OUT.csv

Sources (both may be passed on):
  mitocheck_nuclei  CC BY 4.0 (Neumann et al., Nature 464:721-727, 2010; images given by Thomas Walter; github WayScience/phenotypic_profiling).
                    Classes that a dividing or dying cell runs through. Outline: Otsu on the blurred crop, times 0.8, holes filled, the piece nearest to
                    the centre. Kept when its centre lies within 9 px of the crop's and it touches no edge of the crop.
  dsb2018           CC0 (BBBC038, corrected masks), fluorescence images of at least 4 objects: given outlines, at most 3 nuclei an image by a fixed stride.
                    They have no class: they stand for interphase.

Columns: set, fold (never splits a group), class, area (px), mean, sd (grey values above the background, of the image's own scale), eccentricity, solidity,
area_noise (sd of log area when the threshold is moved by -12.5 % and +12.5 %: how far an outline is a matter of taste; empty for given outlines), and
p_interphase, p_prometaphase (and aligning), p_metaphase, p_anaphase, p_apoptosis: class probabilities of a multinomial logistic regression on
log area, log mean, sd / mean, eccentricity, solidity that was trained without the nucleus's own fold.
"""
import csv, os, sys, warnings
import numpy as np
from scipy import ndimage as ndi
from skimage import filters, io, measure

warnings.filterwarnings("ignore")
CLASSES = {"Interphase": "interphase", "Prometaphase": "prometaphase", "MetaphaseAlignment": "prometaphase", "Metaphase": "metaphase",
           "Anaphase": "anaphase", "Apoptosis": "apoptosis"}
NAMES = ["interphase", "prometaphase", "metaphase", "anaphase", "apoptosis"]


def outline(pixels, share):
    smooth = filters.gaussian(pixels, 1, preserve_range=True)
    threshold = filters.threshold_otsu(smooth[12:52, 12:52]) * share
    pieces = measure.label(ndi.binary_fill_holes(smooth > threshold))
    near = [p for p in measure.regionprops(pieces, pixels) if p.area >= 30]
    return min(near, key=lambda p: np.hypot(p.centroid[0] - 31.5, p.centroid[1] - 31.5)) if near else None, smooth <= threshold


def row(source, fold, name, props, pixels, background, noise):
    values = pixels[props.coords[:, 0], props.coords[:, 1]] - background
    return dict(set=source, fold=fold, **{"class": name}, area=int(props.area), mean=values.mean(), sd=values.std(),
                eccentricity=props.eccentricity, solidity=props.solidity, area_noise=noise)


def mitocheck(data):
    fold = {r["cell_id"]: r["fold"] for r in csv.DictReader(open(f"{data}/splits/mitocheck_nuclei.csv"))}
    for r in csv.DictReader(open(f"{data}/mitocheck_nuclei/index.csv")):
        if r["class"] not in CLASSES:
            continue
        pixels = io.imread(f"{data}/mitocheck_nuclei/{r['file']}").astype(float)
        props, outside = outline(pixels, 0.8)
        if props is None or np.hypot(props.centroid[0] - 31.5, props.centroid[1] - 31.5) > 9:
            continue
        if min(props.bbox) == 0 or max(props.bbox) == 64:
            continue
        areas = [outline(pixels, share)[0] for share in (0.7, 0.8, 0.9)]
        noise = np.std(np.log([p.area for p in areas])) if all(areas) else ""
        yield row("mitocheck", fold[r["cell_id"]], CLASSES[r["class"]], props, pixels, np.median(pixels[outside]), noise)


def dsb(data):
    for r in csv.DictReader(open(f"{data}/splits/dsb2018.csv")):
        if r["modality"] != "fluorescence":
            continue
        pixels = io.imread(f"{data}/dsb2018/images/{r['name']}.png").astype(float)
        labels = io.imread(f"{data}/dsb2018/labels/{r['name']}.png").astype(int)
        background = np.median(pixels[labels == 0])
        props = [p for p in measure.regionprops(labels, pixels) if p.area >= 60 and min(p.bbox[:2]) > 0 and p.bbox[2] < labels.shape[0] and p.bbox[3] < labels.shape[1]]
        if len(props) < 4:
            continue
        for p in props[:: max(1, -(-len(props) // 3))]:
            yield row("dsb2018", r["fold"], "interphase", p, pixels, background, "")


def design(rows):
    return np.array([[1, np.log(r["area"]), np.log(max(r["mean"], 1)), r["sd"] / max(r["mean"], 1), r["eccentricity"], r["solidity"]] for r in rows])


def main():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    data, out = sys.argv[1:3]
    rows = list(mitocheck(data))
    x, y = design(rows)[:, 1:], np.array([NAMES.index(r["class"]) for r in rows])
    fold = np.array([r["fold"] for r in rows])
    p = np.zeros((len(rows), len(NAMES)))
    for f in sorted(set(fold)):
        scale = StandardScaler().fit(x[fold != f])
        model = LogisticRegression(C=1.0, max_iter=2000).fit(scale.transform(x[fold != f]), y[fold != f])
        p[fold == f] = model.predict_proba(scale.transform(x[fold == f]))
    print("out-of-fold accuracy", round(float((p.argmax(1) == y).mean()), 3), "of", len(rows))
    for r, q in zip(rows, p):
        r.update({f"p_{n}": v for n, v in zip(NAMES, q)})
    # A cell of another kind of picture: its probabilities are those of a MitoCheck interphase nucleus, which the movie draws; left empty here.
    rows += list(dsb(data))
    os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
    head = ["set", "fold", "class", "area", "mean", "sd", "eccentricity", "solidity", "area_noise"] + [f"p_{n}" for n in NAMES]
    with open(out, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        for r in rows:
            writer.writerow([f"{r[h]:.4g}" if isinstance(r.get(h), float) else r.get(h, "") for h in head])
    print(len(rows), "rows")


if __name__ == "__main__":
    main()
