"""The pictures of FDDB_benchmark.ipynb, drawn from stored results."""

import json
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from scipy.stats import binomtest

from common.graph import BLUE, GREY, VERMILION
from common.pictures.words import described
from RegionDetector.fddb.report import COUNTS, PUBLISHED

RESULTS = Path(__file__).parent / "results"


def load(name):
    """The stored results of that name: fddb, steps, detectors or cases."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def plot_steps(steps, count=500):
    """What each step brought: share of the faces found at so many false positives."""
    rates = [step["rates"][str(count)] for step in steps]
    figure, ax = plt.subplots(figsize=(9, 0.5 * len(steps) + 1.2), layout="constrained")
    bars = ax.barh([step["name"] for step in steps], rates, color=[GREY if step.get("left_out") else BLUE for step in steps])
    ax.bar_label(bars, [f"{rate:.3f}" + (" (left out)" if step.get("left_out") else "") for rate, step in zip(rates, steps)], padding=4)
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.12), xlabel=f"share of the faces found at {count} false positives (fold 9; scaled to all of FDDB)")
    ax.spines[["top", "right"]].set_visible(False)
    told = "; ".join(f"{step['name']} {rate:.3f}" for rate, step in zip(rates, steps))
    described(figure, f"Bars: the share of the faces found at {count} false positives after each step. {told}.")


def plot_curve(results, zoom=True):
    """The discrete curve of the ten folds among published detectors, and the continuous one."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained", width_ratios=(3, 2))
    curve, share = results["curve"], len(results["folds"]) / 10
    marks = "osD^vP*Xhd<>p"
    for (label, rates), mark in zip(PUBLISHED.values(), marks):
        axes[0].plot(COUNTS, rates, mark, ls=":", lw=0.8, ms=5, label=label)
    for ax, kind in zip(axes, ("discrete", "continuous")):
        label = "this network, ten folds" if share == 1 else f"this network, {len(results['folds'])} of ten folds, false positives scaled"
        ax.plot(np.array(curve["false_positives"]) / share, curve[kind], color="black", lw=2.5, label=label)
        ax.set(xlim=(0, COUNTS[-1]), ylim=(0.3 if zoom else 0, 1), xlabel="false positives in 2,845 photos", title=f"{kind} score")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("share of the faces found (IoU > 0.5)")
    axes[1].set_ylabel("sum of IoU / faces")
    axes[0].legend(fontsize="x-small", loc="lower right", ncols=2)
    best, last = max((rates[-1], label) for label, rates in PUBLISHED.values()), np.array(curve["discrete"])[-1]
    described(figure, f"Two charts over the false positives: the share of the faces found, and the sum of IoU. This network's curve ends at {last:.3f}; "
                      f"of {len(PUBLISHED)} published detectors the best, {best[1]}, ends at {best[0]:.3f}.")


SIZE = "size of the face in pixels, square root of height times width"


def plot_found_by_size(results, edges=(0, 16, 20, 25, 32, 40, 60, 80, 120, 180, 1000), what="pixels", label=SIZE):
    """Share of the faces found, by their size or by `what` else is known of each; lines show where the true share may lie (95 %, Wilson)."""
    pixels, found = np.array(results["faces_by_size"][what]), np.array(results["faces_by_size"]["found"])
    figure, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
    names = []
    for place, (low, high) in enumerate(zip(edges, edges[1:])):
        here = found[(pixels >= low) & (pixels < high)]
        names.append(f"{low}–{high}" if high < 1000 else f"from {low}")
        if len(here):
            known = binomtest(int(here.sum()), len(here)).proportion_ci(method="wilson")
            ax.bar(place, here.mean(), color=BLUE)
            ax.plot([place, place], [known.low, known.high], color="black")
            ax.text(place, 0.03, f"{len(here)}", ha="center", color="white")
    ax.set(ylim=(0, 1), xlabel=f"{label} (in the bars: how many faces)", ylabel="share found")
    ax.set_xticks(range(len(names)), names)
    inside = {name: found[(pixels >= low) & (pixels < high)] for name, low, high in zip(names, edges, edges[1:])}
    shares = [f"{name} {here.mean():.0%}" for name, here in inside.items() if len(here)]
    described(figure, f"Bars: the share of the faces found, by {label}: {', '.join(shares)}.")


def plot_speed(detectors):
    """AP and time, a row for each detector, the best first; those of the kit are round, and hollow marks say AP with boxes fitted."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 1.2 + 0.34 * len(detectors)), layout="constrained", sharey=True)
    names = sorted(detectors, key=lambda name: -detectors[name]["ap50"])
    for place, name in enumerate(names):
        own, row = name.startswith("ours"), detectors[name]
        colour, marker = (BLUE, "o") if own else (VERMILION, "s")
        left.plot(row["ap50_fitted"], place, marker, color=colour, ms=8, mfc="none")
        left.plot(row["ap50"], place, marker, color=colour, ms=8)
        right.plot(row["milliseconds"], place, marker, color=colour, ms=8)
        right.annotate(f"{row['milliseconds']:,.0f}", (row["milliseconds"], place), xytext=(8, 0), textcoords="offset points", va="center", fontsize=9)
    left.set_yticks(range(len(names)), names)
    left.invert_yaxis()
    left.set(xlabel="AP at IoU 0.5, FDDB's fold 10 (hollow: fitted)", xlim=(0, 1.03))
    right.set(xscale="log", xlabel="milliseconds for 640 × 480 (median)")
    right.margins(x=0.2)
    for ax in (left, right):
        ax.grid(alpha=0.3)
    told = "; ".join(f"{name} {detectors[name]['ap50']:.3f} in {detectors[name]['milliseconds']:.0f} ms" for name in names)
    return described(figure, f"Two charts, quality and time, a row for each detector: {told}.")


def plot_turned_and_masked(cases):
    """Share of faces found when they are turned, and when the lower half is covered."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained", sharey=True)
    for name, colour in (("upright look alone", GREY), ("with turns", BLUE)):
        shares = cases[f"turned, {name}"]
        left.plot([int(angle) for angle in shares], list(shares.values()), "o-", color=colour, label=name)
    left.set(xlabel="turned by degrees", ylabel="share found", xticks=[int(angle) for angle in shares], ylim=(0, 1.05))
    left.legend()
    bars = right.bar(list(cases["masked"]), list(cases["masked"].values()), color=BLUE)
    right.bar_label(bars, fmt="%.2f", padding=2)
    right.set_xlabel("what covers the lower half")
    right.tick_params(axis="x", rotation=20)
    told = ", ".join(f"{kind} {share:.0%}" for kind, share in cases["masked"].items())
    return described(figure, f"Left, the share of faces found when they are turned, with turns {min(shares.values()):.0%} or more at each angle. Right, with the lower half covered: {told}.")


def plot_small_heads(cases):
    """AP where photos are shrunk until their heads are small, as they are and with drawn masks."""
    figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
    told = []
    for kind, colour in (("as they are", BLUE), ("masked", VERMILION)):
        measured = {int(name.split()[0]): row["ap50"] for name, row in cases["small heads"].items() if name.endswith(kind)}
        ax.plot(list(measured), list(measured.values()), "o-", color=colour, label=kind)
        told.append(f"{kind} " + ", ".join(f"{ap:.2f} at {pixels}" for pixels, ap in measured.items()))
    ax.set(xlabel="pixels of the median head of a photo", ylabel="AP@0.5", xticks=list(measured), ylim=(0.5, 1.01))
    ax.legend(loc="lower right")
    return described(figure, f"AP over the size of heads in pixels: {'; '.join(told)}.")


def plot_covered(cases):
    """Share of FDDB's faces found when a part of each is covered; lines show where the true share may lie (95 %, Wilson)."""
    figure, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
    for place, (found, count) in enumerate(cases["covered"].values()):
        known = binomtest(found, count).proportion_ci(method="wilson")
        ax.barh(place, found / count, color=BLUE)
        ax.plot([known.low, known.high], [place, place], color="black")
        ax.text(0.01, place, f"{found} of {count}", va="center", color="white")
    ax.set_yticks(range(len(cases["covered"])), list(cases["covered"]))
    ax.set(xlim=(0, 1), xlabel="share found, at the command's threshold", ylabel="what is covered")
    ax.invert_yaxis()
    told = ", ".join(f"{part} {found / count:.0%}" for part, (found, count) in cases["covered"].items())
    return described(figure, f"Bars: the share of the faces of FDDB's fold 10 that are found when a part of each is covered: {told}.")


def plot_reliability(cases):
    """Of boxes with so much probability, how many are faces, beside each point how many boxes; on the line, the probability means what it says."""
    figure, ax = plt.subplots(figsize=(5, 4.4), layout="constrained")
    ax.plot([0, 1], [0, 1], color=GREY, lw=1)
    one, told = cases["fddb"], []
    for when, name, colour in ((" before", "before calibration", VERMILION), ("", "as calibrated", BLUE)):
        if f"reliability{when}" not in one:  # measured without --before
            continue
        probability, share, count = zip(*one[f"reliability{when}"])
        ax.plot(probability, share, "o-", color=colour, label=name)
        for place, number in zip(zip(probability, share), count):
            ax.annotate(f"{number:,}", place, xytext=(-7, 4), textcoords="offset points", ha="right", fontsize=8, color=colour)
        told.append(f"ECE {one[f'ece{when}']:.3f} {name}")
    ax.set(xlabel="probability that the network gives", ylabel="share of boxes that are faces", xlim=(0, 1), ylim=(0, 1.06))
    ax.legend()
    described(figure, f"The share of boxes that are faces over the probability given: {', '.join(told)}.")
