#!/usr/bin/env python3
"""Our tracker beside others on the same detections in one run: writes tracking.json and tracking.md.

  bench_tracking.py --data DATA_FOLDER --scorer SCORER.py --ours 'CMD' --out FOLDER [--btrack-python PYTHON] [--btrack-config FILE]
                    [--movies 'CMD'] [--only WORD ...] [--timeout SECONDS]

ours    `CMD --detections TABLE.csv --out DIR` or `CMD --labels-from DIR --out DIR` writes DIR/tracks.csv (track_id, frame, x, y, parent_id first); no option depends on the set.
        `CMD FRAMES --out DIR` (from pixels) also writes a folder with mask*.tif and res_track.txt.
others  tracking_peers.py at their published settings; search radius 30 / 50 / 70 px at every 1st / 3rd / 6th frame, fixed beforehand, 45 px on simplus_nuclei.
scorer  a module with score_points(truth.csv, result.csv, radius) and score_dirs(truth folder, result folder).
movies  the example `virtual_movies` of crate testkit: makes the movie of the speed table. Parts: tracks, noisy, frames, simplus, pixels, speed (--only).
btrack 0.6.5 wants its own environment: pip install btrack==0.6.5 there and give its python; its settings are models/cell_config.json of its repository.
trackastra is not run: its packages hold no weights (it fetches them at run time).
"""
import argparse, csv, glob, importlib.util, json, os, random, shlex, shutil, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
RADIUS = {1: 30.0, 3: 50.0, 6: 70.0}
PEERS = ["hungarian", "hungarian+split", "laptrack", "laptrack+gaps", "btrack"]
SEEN = {"c2c12_tracks_f0002": "report", "c2c12_tracks_f0017": "development", "c2c12_frames": "end to end", "simplus_nuclei": "simulated"}


def load(path):
    return [(int(r["track_id"]), int(r["frame"]), float(r["x"]), float(r["y"]), int(r["parent_id"])) for r in csv.DictReader(open(path))]


def write_tracks(path, rows):
    with open(path, "w") as f:
        f.write("track_id,frame,x,y,parent_id\n")
        f.writelines(f"{k},{t},{x},{y},{p}\n" for k, t, x, y, p in rows)


def write_detections(path, rows, seed=1):
    """frame, x, y in random order within each frame: row order tells nothing"""
    rows = list(rows)
    random.Random(seed).shuffle(rows)
    with open(path, "w") as f:
        f.write("frame,x,y\n")
        f.writelines(f"{t},{x},{y}\n" for t, x, y in sorted(rows, key=lambda r: r[0]))


def every(rows, step):
    """Every step-th frame; a track that none of them shows hands its children to its own mother."""
    if step == 1:
        return rows
    mother = {k: p for k, _, _, _, p in rows}
    kept = [r for r in rows if r[1] % step == 0]
    shown = {r[0] for r in kept}

    def nearest(p):
        while p and p not in shown:
            p = mother.get(p, 0)
        return p
    return [(k, t // step, x, y, nearest(p)) for k, t, x, y, p in kept]


def run(command, timeout):
    """-> dict of wall and CPU seconds and peak memory of the process and its children, or a reason"""
    log = tempfile.TemporaryFile()
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    # wait4 gives the resources of this child alone; its deadline is kept by looking.
    deadline = start + timeout
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if time.perf_counter() > deadline:
            process.kill()
            os.wait4(process.pid, 0)
            return dict(failed=f"not done after {timeout:.0f} s")
        time.sleep(0.005)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        log.seek(0)
        return dict(failed=f"exit {process.returncode}: " + log.read().decode(errors="replace")[-400:].strip())
    return dict(wall=time.perf_counter() - start, cpu=used.ru_utime + used.ru_stime, peak_mib=used.ru_maxrss / 1024)


class Bench:
    def __init__(self, a):
        self.a = a
        spec = importlib.util.spec_from_file_location("scorer", a.scorer)
        self.scorer = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.scorer)
        self.rows = []

    def wanted(self, part):
        return not self.a.only or part in self.a.only

    def commands(self, detections, radius, labels=None, peers=PEERS):
        ours = shlex.split(self.a.ours)
        for name in peers:
            python = (self.a.btrack_python or sys.executable) if name == "btrack" else sys.executable
            command = [python, HERE + "/tracking_peers.py", name, detections, "OUT", "--radius", str(radius)]
            if name == "btrack" and self.a.btrack_config:
                command += ["--btrack-config", self.a.btrack_config]
            yield name, command
        if labels:
            yield "phenosure", ours + ["--labels-from", labels, "--out", "OUT"]
        else:
            yield "phenosure", ours + ["--detections", detections, "--out", "OUT"]

    def tracked(self, part, name, step, truth, detections, radius, labels=None, peers=PEERS):
        for method, command in self.commands(detections, radius, labels, peers):
            with tempfile.TemporaryDirectory() as out:
                result = run([out if word == "OUT" else word for word in command], self.a.timeout)
                row = dict(part=part, set=name, seen=SEEN[name], step=step, method=method, radius=radius if method != "phenosure" else None, **result)
                if "failed" not in result:
                    row["score"] = self.scorer.score_points(truth, out + "/tracks.csv", 8.0)
                    if os.path.exists(out + "/seconds.json"):
                        row.update(json.load(open(out + "/seconds.json")))
                self.add(row)

    def add(self, row):
        self.rows.append(row)
        s = row.get("score", {})
        print(row["part"], row["set"], row["step"], row["method"], row.get("failed", ""), *(f"{k} {s[k]:.4f}" for k in ("TRA", "LNK", "division_F1_0", "division_F1_1") if s.get(k) is not None),
              f"{row.get('wall', 0):.2f} s", flush=True)
        with open(self.a.out + "/tracking.json", "w") as f:
            json.dump(dict(command=" ".join(sys.argv), rows=self.rows), f, indent=1)

    def tracks(self, work):
        for name in ("c2c12_tracks_f0002", "c2c12_tracks_f0017"):
            rows = load(f"{self.a.data}/{name}/tracks.csv")
            for step in (1, 3, 6):
                truth = every(rows, step)
                write_tracks(work + "/truth.csv", truth)
                write_detections(work + "/found.csv", [(t, x, y) for _, t, x, y, _ in truth])
                self.tracked("tracks", name, step, work + "/truth.csv", work + "/found.csv", RADIUS[step])

    def noisy(self, work):
        for name in ("c2c12_tracks_f0002", "c2c12_tracks_f0017"):
            folder = f"{self.a.data}/{name}"
            for step in (1, 3, 6):
                write_tracks(work + "/truth.csv", every(load(folder + "/tracks.csv"), step))
                found = [(int(r["frame"]), float(r["x"]), float(r["y"])) for r in csv.DictReader(open(folder + "/detections_noisy.csv"))]
                write_detections(work + "/found.csv", [(t // step, x, y) for t, x, y in found if t % step == 0])
                self.tracked("noisy", name, step, work + "/truth.csv", work + "/found.csv", RADIUS[step])

    def labels(self, part, name, work, radius, peers):
        """Label images whose numbers are dealt anew in every frame."""
        import numpy as np
        from skimage import io
        folder, deal = f"{self.a.data}/{name}", np.random.default_rng(1)
        shuffled = work + "/labels"
        shutil.rmtree(shuffled, ignore_errors=True)
        os.makedirs(shuffled)
        truth, found = [], []
        parents = {k: p for k, _, _, _, p in load(folder + "/tracks.csv")}
        for t, path in enumerate(sorted(glob.glob(folder + "/labels/*.png"))):
            image = io.imread(path)
            ids = np.unique(image[image > 0])
            table = np.zeros(int(ids.max()) + 1, np.uint16)
            table[ids] = deal.permutation(len(ids)) + 1
            io.imsave(f"{shuffled}/t{t:03}.png", table[image], check_contrast=False)
            # Centres of the labels, by sums over pixels: truth and detections of the methods that take points.
            y, x = np.nonzero(image)
            k = image[y, x]
            n = np.bincount(k)
            cx, cy = np.bincount(k, x)[ids] / n[ids], np.bincount(k, y)[ids] / n[ids]
            truth += [(int(i), t, a, b, parents.get(int(i), 0)) for i, a, b in zip(ids, cx, cy)]
            found += [(t, a, b) for a, b in zip(cx, cy)]
        write_tracks(work + "/truth.csv", truth)
        write_detections(work + "/found.csv", found)
        self.tracked(part, name, 1, work + "/truth.csv", work + "/found.csv", radius, shuffled, peers)

    def pixels(self):
        """From the frames of simplus_nuclei with the shipped bundle; masks are scored."""
        folder = f"{self.a.data}/simplus_nuclei"
        with tempfile.TemporaryDirectory() as out:
            result = run(shlex.split(self.a.ours) + [folder + "/frames", "--out", out], self.a.timeout)
            row = dict(part="pixels", set="simplus_nuclei", seen="simulated", step=1, method="phenosure", radius=None, **result)
            if "failed" not in result:
                files = glob.glob(out + "/**/res_track.txt", recursive=True)
                row.update(dict(score=self.scorer.score_dirs(folder, os.path.dirname(files[0]))) if files else dict(failed="no res_track.txt was written"))
            self.add(row)

    def speed(self, work):
        """One virtual movie, cut to fewer frames; fewer cells are further movies of the same density."""
        for cells, frames in ((250, 1000), (500, 1000), (1000, 100), (1000, 250), (1000, 500), (1000, 1000)):
            folder = f"{work}/speed_{cells}"
            if not os.path.isdir(folder):
                subprocess.run(shlex.split(self.a.movies) + [folder, "speed", str(cells), "1000"], check=True)
            found = [(int(r["frame"]), r["x"], r["y"]) for r in csv.DictReader(open(folder + "/detections.csv")) if int(r["frame"]) < frames]
            write_tracks(work + "/truth.csv", [r for r in load(folder + "/truth.csv") if r[1] < frames])
            write_detections(work + "/found.csv", found)
            # All methods where all can be had in minutes; at the largest size too.
            for method, command in self.commands(work + "/found.csv", RADIUS[1]):
                if method == "laptrack+gaps" or (method == "hungarian+split"):
                    continue
                with tempfile.TemporaryDirectory() as out:
                    result = run([out if word == "OUT" else word for word in command], self.a.timeout)
                    row = dict(part="speed", set="virtual", seen="speed", step=1, method=method, cells=cells, frames=frames, objects=len(found), **result)
                    if "failed" not in result:
                        if os.path.exists(out + "/seconds.json"):
                            row.update(json.load(open(out + "/seconds.json")))
                        if (cells, frames) == (1000, 100):
                            row["score"] = self.scorer.score_points(work + "/truth.csv", out + "/tracks.csv", 8.0)
                    self.add(row)


def number(value, digits=4):
    return "–" if value is None else f"{value:.{digits}f}"


def tables(rows):
    titles = dict(tracks="True positions", noisy="Noisy detections (5 % missed, 2 px jitter, 2 % false), matched within 8 px",
                  frames="Label images with shuffled numbers (c2c12_frames)", simplus="True outlines with shuffled numbers (simplus_nuclei, simulated)",
                  pixels="From pixels with the shipped bundle (simplus_nuclei, simulated); masks scored")
    out = ["# Tracking beside other programs", "", "Made by `scripts/bench_tracking.py` (its head says how); raw numbers in `tracking.json`. One setting for every set on our side; search radius of the others in px."
           " f0002 is the reported sequence, f0017 was used for development. Division F1 at tolerance 0 / 1 / 2 frames. trackastra is missing: its packages hold no weights.", ""]
    for part, title in titles.items():
        of = [r for r in rows if r["part"] == part]
        if not of:
            continue
        out += [f"## {title}", "", "| set | frames used | method | TRA | DET | LNK | division F1 | true / found divisions | ED / EA / EC | wall s | CPU s | peak MiB |", "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
        for r in of:
            start = f"| {r['set']} ({r['seen']}) | every {r['step']} | {r['method']} "
            if "failed" in r:
                reason = r["failed"].replace("\n", " ").replace("|", "/")[:160]
                out.append(start + f"| {reason} |" + " |" * 8)
                continue
            s = r["score"]
            f1 = " / ".join(number(s[f"division_F1_{i}"], 3) for i in range(3))
            out.append(start + f"| {number(s['TRA'])} | {number(s['DET'])} | {number(s['LNK'])} | {f1} | {s['divisions_gt']} / {s['divisions_res']} | {s['ED']} / {s['EA']} / {s['EC']} "
                       f"| {r['wall']:.2f} | {r['cpu']:.2f} | {r['peak_mib']:.0f} |")
        out.append("")
    of = [r for r in rows if r["part"] == "speed"]
    if of:
        out += ["## Speed (virtual movie, 30 px search radius for the others)", "", f"Wall time of the whole process on {os.cpu_count()} cores, and of the tracking alone (without start, reading, writing) where the program is called from Python.", "",
                "| cells | frames | objects | method | wall s | tracking alone s | CPU s | peak MiB |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
        for r in of:
            start = f"| {r['cells']} | {r['frames']} | {r['objects']} | {r['method']} "
            out.append(start + (f"| {r['failed'][:80]} | | | |" if "failed" in r else f"| {r['wall']:.2f} | {number(r.get('tracking'), 2)} | {r['cpu']:.2f} | {r['peak_mib']:.0f} |"))
        out.append("")
    return "\n".join(out)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--data", "--scorer", "--ours", "--out"):
        ap.add_argument(name, required=True)
    ap.add_argument("--btrack-python"), ap.add_argument("--btrack-config"), ap.add_argument("--movies", default="cargo run --release -q -p testkit --example virtual_movies --")
    ap.add_argument("--only", nargs="*"), ap.add_argument("--timeout", type=float, default=1800.0)
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    bench = Bench(a)
    with tempfile.TemporaryDirectory() as work:
        for part in ("tracks", "noisy"):
            if bench.wanted(part):
                getattr(bench, part)(work)
        if bench.wanted("frames"):
            bench.labels("frames", "c2c12_frames", work, RADIUS[1], PEERS)
        if bench.wanted("simplus"):
            bench.labels("simplus", "simplus_nuclei", work, 45.0, PEERS)
        if bench.wanted("pixels"):
            bench.pixels()
        if bench.wanted("speed"):
            bench.speed(work)
    with open(a.out + "/tracking.md", "w") as f:
        f.write(tables(bench.rows))


if __name__ == "__main__":
    main()
