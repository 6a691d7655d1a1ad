"""From the numbers of a run to reports/engine.md and its figure."""
import os
import statistics

from .rows import DRAWS, MEMBERS, ROWS

TITLES = {row["name"]: row for row in ROWS}


def best_peer(row, result):
    """The peer that a ratio is taken to: the one that the target names, or the fastest by its median."""
    if row["against"]:
        return row["against"]
    peers = [engine for engine in result["ms"] if engine != "ours" and held(row, engine)]
    return min(peers, key=lambda engine: statistics.median(result["ms"][engine]))


def held(row, engine):
    """onnxruntime asks the processor itself, so it cannot be held to AVX2 and is no peer there."""
    return row["isa"] == "native" or engine != "onnxruntime"


def spread(values):
    """Median and quartiles."""
    values = sorted(values)
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def ratios(row, result):
    if row["kind"] == "draws":
        return [medians["draws"] / medians["one"] for medians in result["rounds"]]
    peer = best_peer(row, result)
    return [medians[peer] / medians["ours"] for medians in result["rounds"]]


def verdict(row, middle):
    if row["target"] is None:
        return "for information"
    good = middle <= row["target"] if row["kind"] == "draws" else middle >= row["target"]
    return "met" if good else "**missed**"


def target(row):
    if row["target"] is None:
        return "–"
    return f"≤ {row['target']:.1f}" if row["kind"] == "draws" else f"≥ {row['target']:.1f}"


def number(ms):
    return f"{ms:.3g}" if ms < 100 else f"{ms:.0f}"


def line(row, result):
    """One line for a person who waits."""
    middle, low, high = spread(ratios(row, result))
    return f"{row['name']:15} {middle:.2f} [{low:.2f}, {high:.2f}], n = {len(result['rounds'])}, target {target(row)}, {verdict(row, middle)}"


def speed_table(results, rows):
    out = ["| work | ours, ms | best peer, ms | ratio, median [quartiles], rounds | target | |", "|---|---|---|---|---|---|"]
    for row in rows:
        result = results[row["name"]]
        middle, low, high = spread(ratios(row, result))
        peer = best_peer(row, result)
        ours, theirs = (number(statistics.median(result["ms"][engine])) for engine in ("ours", peer))
        out.append(f"| {row['title']} | {ours} | {theirs} ({peer}) | **{middle:.2f}** [{low:.2f}, {high:.2f}], n = {len(result['rounds'])} | {target(row)} | {verdict(row, middle)} |")
    return out


def all_engines(results, rows):
    engines = list(dict.fromkeys(engine for row in rows for engine in results[row["name"]]["ms"]))
    out = ["| work | " + " | ".join(engines) + " |", "|---" * (len(engines) + 1) + "|"]
    for row in rows:
        ms = results[row["name"]]["ms"]
        cells = [number(statistics.median(ms[engine])) if engine in ms else "–" for engine in engines]
        out.append(f"| {row['title']} | " + " | ".join(cells) + " |")
    return out


def accuracy_table(results, rows):
    engines = list(dict.fromkeys(engine for row in rows for engine in results[row["name"]]["difference"]))
    out = ["| work | " + " | ".join(engines) + " |", "|---" * (len(engines) + 1) + "|"]
    for row in rows:
        found = results[row["name"]]["difference"]
        cells = [f"{found[engine]:.1e}" if found.get(engine) is not None else "–" for engine in engines]
        out.append(f"| {row['title']} | " + " | ".join(cells) + " |")
    return out


def peak_table(results, rows):
    out = ["| work | measured peak, GFLOP/s | plain convolutions | products done | products and transforms | of the plain products, done | target |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        runs = results[row["name"]]["ours"]
        middle = lambda value: statistics.median(value(run) for run in runs)
        real, both = middle(lambda r: r["real"]["products_share_of_peak"]), middle(lambda r: r["real"]["share_of_peak"])
        wanted = f"≥ 0.70 {'met' if both >= 0.7 else '**missed**'}" if row["name"] == "unet" else "–"
        out.append(f"| {row['title']} | {middle(lambda r: r['peak_flops']) / 1e9:.0f} | {middle(lambda r: r['plain_share_of_peak']):.2f} | {real:.2f} | {both:.2f} | "
                   f"{middle(lambda r: r['real']['products'] / r['multiply_adds']):.2f} | {wanted} |")
    return out


def draws_table(results, rows):
    out = [f"| work | {DRAWS} draws, ms | 1 draw, ms | ratio, median [quartiles], rounds | target | |", "|---|---|---|---|---|---|"]
    for row in rows:
        result = results[row["name"]]
        middle, low, high = spread(ratios(row, result))
        many, one = (number(statistics.median(result["ms"][name])) for name in ("draws", "one"))
        out.append(f"| {row['title']} | {many} | {one} | **{middle:.2f}** [{low:.2f}, {high:.2f}], n = {len(result['rounds'])} | {target(row)} | {verdict(row, middle)} |")
    return out


def training_lines(results, rows):
    out = []
    for row in rows:
        losses = results[row["name"]]["losses"]
        pairs = ", ".join(f"{ours:.5f} / {exact:.5f}" for ours, exact in zip(losses["ours"], losses["torch_f64"]))
        out.append(f"- {row['title']}: {pairs}")
    return out


def text(run):
    """The report as Markdown."""
    results = {result["row"]: result for result in run["results"]}
    chosen = [row for row in ROWS if row["name"] in results]
    of = lambda test: [row for row in chosen if test(row)]
    speeds = of(lambda r: r["kind"] == "speed" and r["isa"] == "native" and r["threads"] == 1)
    inference = [row for row in speeds if not row["train"]]
    training = [row for row in speeds if row["train"]]
    avx2, threads = of(lambda r: r["isa"] == "avx2"), of(lambda r: r["threads"] > 1)
    draws = of(lambda r: r["kind"] == "draws")
    machine = run["machine"]
    versions = next((result["versions"] for result in run["results"] if "versions" in result), {})
    out = ["# How fast the networks run, beside other engines", "",
           "Written by `scripts/bench_engine.py`, which measures everything below in one run; raw numbers: [runs/engine.json](runs/engine.json).", "",
           f"{machine['processor']}, {machine['cores']} cores, {machine['time']}; load {machine['load_before']:.1f} at the start, {machine.get('load_after', float('nan')):.1f} at the end; "
           f"{run['version']}; " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
           "One thread, processor time of the process; all engines once a round in random order; the ratio is taken inside each round. All compute in f32 with the same weights and images.", ""]
    if speeds:
        out += ["![Ratio to the best peer of every row](figures/engine.svg)", "", "## Against the best peer", "", *speed_table(results, speeds), "",
                "Training: the target is against torch channels_last; torch.compile is below for information.", ""]
    if avx2:
        out += ["## Held to AVX2", "", "torch and OpenVINO are held by ONEDNN_MAX_CPU_ISA, DNNL_MAX_CPU_ISA, ATEN_CPU_CAPABILITY and MKL_ENABLE_INSTRUCTIONS, ours by `--isa avx2`. "
                "onnxruntime has no such switch (its kernels ask the processor): it is no peer here, and its time with all instructions stands in the table of all engines.", "",
                *speed_table(results, avx2), ""]
    if draws:
        out += ["## Samples for little", "", f"{DRAWS} dropout draws a member against one: what comes before the dropout is computed once a member.", "", *draws_table(results, draws), ""]
    if inference:
        out += ["## Share of this core's multiply-add peak", "", "Operations a second of processor time over the measured peak (all operands in registers). *Plain convolutions* counts what the layers are defined as: above 1 is "
                "possible only by doing less. *Products done* counts the multiply-adds that are really done; the next column adds the additions of the Winograd transforms as work.", "",
                *peak_table(results, inference), ""]
        out += ["## Accuracy", "", "Largest difference from the same network computed in f64 by torch, over the largest magnitude of the output. `nuclei` and `mitosis` hold trained weights, the reference networks random ones. Target for ours: ≤ 1e-4.", "",
                *accuracy_table(results, inference + avx2), ""]
    if training:
        out += ["Training, first losses, ours / torch f64 from the same start on the same batch:", "", *training_lines(results, training), ""]
    if threads:
        out += ["## Two threads", "", "Wall time, so it holds on a quiet machine only.", "", *speed_table(results, threads), ""]
    if speeds or avx2 or threads:
        out += ["## All engines, median ms", "", *all_engines(results, speeds + avx2 + threads), ""]
    failed = [f"- {TITLES[result['row']]['title']}: {engine}: {error}" for result in run["results"] for engine, error in result.get("failed", {}).items()]
    if failed:
        out += ["## Engines that did not run", "", *failed, ""]
    out += ["## Words", "", f"Members of the rows with draws: {', '.join(f'{name} {members}' for name, members in MEMBERS.items())}. torch jit is trace, freeze, optimize_for_inference; torch.compile is inductor with freezing; OpenVINO is told to "
            "compute in f32. Weights are packed and layers compiled outside of the clock for all. U-Net and ResNet-18 are defined in `scripts/engine_peers/networks.py`.", ""]
    return "\n".join(out)


def figure(run, path):
    """One bar a row: median ratio with quartiles, and a mark at the target."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plot

    matplotlib.rcParams["svg.hashsalt"] = "engine"
    results = {result["row"]: result for result in run["results"]}
    rows = [row for row in ROWS if row["name"] in results and row["kind"] == "speed" and row["threads"] == 1][::-1]
    axes = plot.subplots(figsize=(9, 0.42 * len(rows) + 1.3))[1]
    for place, row in enumerate(rows):
        middle, low, high = spread(ratios(row, results[row["name"]]))
        color = "#0072b2" if row["isa"] == "native" else "#56b4e9"
        axes.barh(place, middle, color=color, height=0.6)
        axes.errorbar(middle, place, xerr=[[middle - low], [high - middle]], color="#222222", capsize=3, linewidth=1)
        axes.text(high + 0.06, place, f"{middle:.2f}", va="center", fontsize=9)
        if row["target"] is not None:
            axes.plot([row["target"]] * 2, [place - 0.4, place + 0.4], color="#d55e00", linewidth=2)
    axes.axvline(1, color="#555555", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(rows)), [row["title"].replace("`", "") for row in rows], fontsize=9)
    axes.set_xlabel("times as fast as the best peer (training: as torch channels_last)\norange: target; whiskers: quartiles over rounds", fontsize=9)
    axes.set_xlim(0, 1.12 * axes.get_xlim()[1])
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    plot.tight_layout()
    plot.savefig(path, metadata={"Date": None})
    plot.close()


def write(run, root):
    """The report and its figure."""
    with open(os.path.join(root, "reports", "engine.md"), "w") as file:
        file.write(text(run))
    figure(run, os.path.join(root, "reports", "figures", "engine.svg"))
