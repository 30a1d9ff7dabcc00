# SPDX-License-Identifier: Apache-2.0
"""Turns measured times into rows, verdicts, tables and the result file; knows no GPU: a backend does what needs one.

A kind is a module (prefill, decode, sparse): settings, name_of, spec_of, work_of, shares_of, unavailable, required_peers;
it may ask more of a row that is won (reached) and print more of one (MORE_COLUMNS, more_of).
A backend measures: chip, rates(), systems(setting) with a maker for each name, time(launch) in microseconds,
difference(setting, launches) as (largest difference, largest magnitude) or None, facts(setting), versions().
"""
import datetime
import statistics

# Two roundings to bf16 and one of the weights before the second product, each 2^-9 of the largest value, and as much again.
AGREEMENT = 2.0 ** -6


def prepare(kind, setting, makers):
    """Launches by name of those systems that run, and the reason of every one that does not."""
    launches, failures = {}, {}
    for name in kind.SYSTEMS:
        reason = kind.unavailable(setting, name)
        if reason is None and name not in makers:
            reason = "not part of this run"
        if reason is None:
            try:
                launches[name] = makers[name]()
                continue
            except Exception as failure:  # a system that does not run here is reported, not fatal
                reason = first_line(failure)
        failures[name] = reason
    return launches, failures


def makers_of(kind, setting, backend):
    """The backend's makers; when it cannot even make the inputs, every one of them says why."""
    try:
        return backend.systems(setting)
    except Exception as failure:
        reason = first_line(failure)

        def refuse():
            raise RuntimeError(f"no inputs: {reason}")
        return dict.fromkeys(kind.SYSTEMS, refuse)


def first_line(failure):
    lines = str(failure).strip().splitlines()
    return f"{type(failure).__name__}: {lines[0][:200]}" if lines else repr(failure)


def measure(kind, setting, backend, rounds):
    """One row: every system's median, in rounds that take turns so that clocks and heat are shared fairly."""
    launches, failures = prepare(kind, setting, makers_of(kind, setting, backend))
    difference = backend.difference(setting, launches)
    times = {name: [] for name in launches}
    for _ in range(rounds):
        for name, launch in launches.items():
            times[name].append(backend.time(launch))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {**row_of(kind, setting, medians, failures, difference, backend.rates()), **backend.facts(setting)}


def row_of(kind, setting, medians, failures, difference, rates):
    """A row of the result file from median microseconds by system."""
    shares = {name: kind.shares_of(setting, median, rates) for name, median in medians.items()}
    row = {"name": kind.name_of(setting), "setting": setting, "median_us": medians, "shares": shares,
           "failures": failures, "difference": None, "agrees": None,
           "missing": [peer for peer in kind.required_peers(setting) if peer not in medians]}
    if difference is not None:
        row["difference"], magnitude = difference
        # What is no number agrees with nothing.
        row["agrees"] = bool(row["difference"] <= AGREEMENT * magnitude)
    ours = medians.get("attn")
    peers = {name: medians[name] for name in kind.PEERS if name in medians}
    row["best_peer"] = min(peers, key=peers.get) if peers else None
    # How many times as fast we are: above 1 is faster.
    row["ratio_to"] = {name: median / ours for name, median in medians.items() if name != "attn"} if ours else {}
    row["ratio_to_best_peer"] = row["ratio_to"].get(row["best_peer"])
    row["ratio_to_twin"] = row["ratio_to"].get(kind.TWIN)
    row["rate_to_twin"] = rate_to_twin(kind, setting, medians)
    row["won"] = is_won(row) and (not hasattr(kind, "reached") or kind.reached(setting, row))
    return row


def rate_to_twin(kind, setting, medians):
    """Our work a second over the twin's on its own work: 1 is a variant that costs nothing beside what it computes."""
    if not hasattr(kind, "plain_of") or "attn" not in medians or kind.TWIN not in medians:
        return None
    mine, twin = kind.work_of(setting) / medians["attn"], kind.work_of(kind.plain_of(setting)) / medians[kind.TWIN]
    return mine / twin


def is_won(row):
    """At least as fast as every peer, with the fastest of them present, and with the same answer."""
    ratio = row["ratio_to_best_peer"]
    return ratio is not None and ratio >= 1 and not row["missing"] and row["agrees"] is True


def columns(kind):
    return f"{kind.UNIT:64}" + " ".join(f"{name:>14}" for name in kind.SYSTEMS) + (
        f"  best peer   twin{getattr(kind, 'MORE_COLUMNS', '')}  won")


def line_of(kind, row):
    cells = [f"{kind.figure_of(row['shares'][name]):14.{2 if kind.UNIT == 'TB/s' else 0}f}" if name in row["shares"]
             else f"{'-':>14}" for name in kind.SYSTEMS]
    ratio = lambda value: "-" if value is None else f"{value:.2f}"
    twin = row["rate_to_twin"] if hasattr(kind, "plain_of") else row["ratio_to_twin"]
    more = kind.more_of(row) if hasattr(kind, "more_of") else ""
    return (f"{row['name']:64}" + " ".join(cells) + f" {ratio(row['ratio_to_best_peer']):>10} {ratio(twin):>6}{more}"
            f"  {'yes' if row['won'] else 'no'}")


def complaints(rows):
    """What did not run and why, each reason once with the rows it holds for; and answers that differ."""
    reasons = {}
    for row in rows:
        for name, why in row["failures"].items():
            reasons.setdefault((name, why), []).append(row["name"])
    lines = [f"{name} did not run in {len(names)} of {len(rows)} rows ({names[0]}{', ...' if len(names) > 1 else ''}): {why}"
             for (name, why), names in reasons.items()]
    lines += [f"{row['name']}: our output differs by {row['difference']}" for row in rows if row["agrees"] is False]
    return lines


def result_of(kind_name, backend, rows, rounds):
    """The result file as a dictionary; NOTES.md says what each field means."""
    today = str(datetime.date.today())
    return {"kind": kind_name, "chip": backend.chip, "date": today, "versions": backend.versions(),
            "measured": backend.rates(), "rounds": rounds, "won": sum(row["won"] for row in rows), "rows": rows}
