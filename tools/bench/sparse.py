# SPDX-License-Identifier: Apache-2.0
"""What `tools/bench/run sparse` measures: the rows, their lists, the pairs these name, and the specs. No GPU needed.

A pair is counted as visited when the query's group has to look at the key: a group is 128 queries that follow one another
(the rows of a tile), in decode one query, and it visits every key that one of its queries sees.
"""
import bisect
import random
from array import array
from functools import lru_cache
from pathlib import Path

import decode
import prefill

SPECS = Path(__file__).resolve().parent.parent.parent / "templates/specs"
UNIT = "microseconds"
BLOCK, SINKS, DOCUMENTS, SPANS, CLUSTERS, CLUSTER = 128, 4, 12, 16, 4, 16
REACH = 0.85  # of the ideal, in rows of blocks

TWIN = "attn_dense"
PEERS = ("flex", "flash3")
SYSTEMS = ("attn", TWIN, *PEERS)
MORE_COLUMNS = f"{'speed-up':>10} {'ideal':>8}"


def setting_of(form, seq, density=0, batch=1, queries=None, heads=32, kv_heads=8, dtype="bf16"):
    """`density` is what is asked for, in percent; forms that follow from their sizes have none. `queries` is all or 1."""
    return {"form": form, "dtype": dtype, "batch": batch, "seq": seq, "queries": queries or seq, "heads": heads,
            "kv_heads": kv_heads, "head_dim": 128, "density": density}


def settings():
    """Blocks and stripes of a prompt, a gathered and a ranged cache, and the masks that follow from positions."""
    densities, lengths = (5, 10, 20, 50, 100), (8192, 16384, 32768, 65536)
    rows = [setting_of("blocks", seq, density) for seq in lengths for density in densities]
    rows += [setting_of("vertical_slash", seq, 2) for seq in (*lengths, 131072)]
    rows += [setting_of("sample", seq, 5) for seq in (*lengths, 131072)]
    rows += [setting_of("gathered", seq, 20, batch=262144 // seq, queries=1, kv_heads=32, dtype="f16")
             for seq in (4096, 16384, 65536)]
    rows += [setting_of("spans", 65536, density, batch=16, queries=1) for density in densities]
    return rows + [setting_of(form, seq) for form in ("window", "streaming", "documents") for seq in lengths]


def name_of(setting):
    """Densities of stripes are those of the columns alone."""
    asked = f" {setting['density']}%" if setting["density"] else ""
    return (f"{setting['form']}{asked} seq={setting['seq']} batch={setting['batch']} "
            f"heads={setting['heads']}/{setting['kv_heads']} d={setting['head_dim']}")


# --- Lists: every one increases ---

def inputs_of(setting):
    """The arguments of our kernel besides the tensors of attention: numbers, and tensors of i32 as (shape, array)."""
    return _inputs(_key(setting))


def _key(setting):
    return tuple(sorted(setting.items()))


@lru_cache(maxsize=1)
def _inputs(key):
    setting = dict(key)
    make = {"blocks": blocks, "vertical_slash": stripes, "sample": stripes, "gathered": gathered, "spans": spans,
            "documents": documents}.get(setting["form"], lambda setting, source: {})
    return make(setting, random.Random(name_of(setting)))


def packed(rows, width):
    """Rows one behind the other, each filled up with zeros."""
    values = array("i")
    for row in rows:
        values.extend(row)
        values.frombytes(bytes(4 * (width - len(row))))
    return values


def block_counts(count, percent):
    """How many blocks each row of blocks sees, its own included: as near to the density as whole blocks can be, from the
    first row on; what the first rows see too much of, the next ones have less of."""
    chosen, given, past = [], 0, 0
    for row in range(count):
        past += row + 1
        chosen.append(min(max(round(past * percent / 100) - given, 1), row + 1))
        given += chosen[-1]
    return chosen


def blocks(setting, source):
    """For each head and row of blocks its own block, of which it sees the past, and random ones before it."""
    count, rows = setting["seq"] // BLOCK, setting["batch"] * setting["heads"]
    counts = block_counts(count, setting["density"])
    full = [sorted(source.sample(range(row), counts[row] - 1)) for _ in range(rows) for row in range(count)]
    shape = (setting["batch"], setting["heads"], count)
    return {"full": ((*shape, count), packed(full, count)), "full_count": (shape, array("i", map(len, full))),
            "partial": ((*shape, count), packed([[row] for _ in range(rows) for row in range(count)], count)),
            "partial_count": (shape, array("i", [1] * len(full)))}


def stripes(setting, source):
    """Random columns for each head, and a window; the vertical-slash rows have diagonals in clusters, too."""
    seq, heads, sample = setting["seq"], setting["heads"], setting["form"] == "sample"
    window = seq * 8 // 100 if sample else BLOCK - 1
    width = max(1, round(seq * setting["density"] / 100))
    columns = [sorted(source.sample(range(seq), width)) for _ in range(heads)]
    room = range(window + 1, seq - CLUSTER, CLUSTER)
    slashes = [[] if sample else [begin + i for begin in sorted(source.sample(room, CLUSTERS)) for i in range(CLUSTER)]
               for _ in range(heads)]
    most = CLUSTERS * CLUSTER
    return {"columns": ((heads, width), packed(columns, width)), "column_count": ((heads,), array("i", [width] * heads)),
            "slashes": ((heads, most), packed(slashes, most)),
            "slash_count": ((heads,), array("i", map(len, slashes))), "window_left": window}


def gathered(setting, source):
    """Half of the kept keys are the newest; the others lie anywhere before them."""
    seq, rows = setting["seq"], setting["batch"] * setting["heads"]
    kept = round(seq * setting["density"] / 100)
    recent = kept // 2
    heavy = [sorted(source.sample(range(seq - recent), kept - recent)) for _ in range(rows)]
    shape = (setting["batch"], setting["heads"])
    return {"heavy": ((*shape, kept - recent), packed(heavy, kept - recent)),
            "heavy_count": (shape, array("i", map(len, heavy))), "recent": recent}


def spans(setting, source):
    """For each sequence ranges of about one length, with random gaps; the newest key is seen besides."""
    past, batch = setting["seq"] - 1, setting["batch"]
    total = round(setting["seq"] * setting["density"] / 100) - 1
    lengths = [total * (i + 1) // SPANS - total * i // SPANS for i in range(SPANS)]
    rows = []
    for _ in range(batch):
        gaps, begin, row = sorted(source.randint(0, past - total) for _ in range(SPANS)), 0, []
        for gap, length in zip(gaps, lengths):
            row += [begin + gap, begin + gap + length]
            begin += length
        rows.append(row)
    return {"spans": ((batch, 1, SPANS, 2), packed(rows, 2 * SPANS)), "span_count": ((batch, 1), array("i", [SPANS] * batch))}


def documents(setting, source):
    """The document of each token: random cuts."""
    cuts = [0, *sorted(source.sample(range(1, setting["seq"]), DOCUMENTS - 1)), setting["seq"]]
    ids = array("i", [i for i in range(DOCUMENTS) for _ in range(cuts[i + 1] - cuts[i])])
    return {"document": ((1, setting["seq"]), ids)}


def rows_of(tensor):
    """The rows of a list, as long as they are stored."""
    shape, values = tensor
    return [values[begin:begin + shape[-1]] for begin in range(0, len(values), shape[-1])]


# --- What they mean ---

def tables_of(setting):
    """The lists as flags for each block, key or distance (and documents as numbers), by name: (shape, values)."""
    inputs, seq, form = inputs_of(setting), setting["seq"], setting["form"]
    if form == "documents":
        return {"document": inputs["document"]}
    if form in ("vertical_slash", "sample"):
        return {name: flags((setting["heads"], seq), inputs[f"{name}{plural}"], inputs[f"{name}_count"])
                for name, plural in (("column", "s"), ("slash", "es"))}
    if form == "blocks":
        count = seq // BLOCK
        _, seen = flags((setting["batch"], setting["heads"], count, count), inputs["full"], inputs["full_count"])
        for at in range(len(seen) // count):
            seen[at * count + at % count] = 1
        return {"block": ((setting["batch"], setting["heads"], count, count), seen)}
    if form == "gathered":
        return {"heavy": flags((setting["batch"], setting["heads"], seq), inputs["heavy"], inputs["heavy_count"])}
    if form == "spans":
        seen = bytearray(setting["batch"] * seq)
        for at, row in enumerate(rows_of((inputs["spans"][0][:2] + (2 * SPANS,), inputs["spans"][1]))):
            for begin, end in zip(row[::2], row[1::2]):
                seen[at * seq + begin:at * seq + end] = b"\1" * (end - begin)
        return {"named": ((setting["batch"], seq), seen)}
    return {}


def flags(shape, tensor, counts):
    seen = bytearray(len(counts[1]) * shape[-1])
    for at, (row, count) in enumerate(zip(rows_of(tensor), counts[1])):
        for entry in row[:count]:
            seen[at * shape[-1] + entry] = 1
    return shape, seen


def mask_of(setting):
    """Which keys a query sees, as a function of (tables, row, head, position, key) in operators that numbers and tensors
    share; the tables are those of tables_of, indexed by a tuple."""
    window, inputs = prefill.WINDOW, inputs_of(setting)
    left, recent = inputs.get("window_left"), inputs.get("recent")
    stripe = lambda t, b, h, q, kv: (kv <= q) & (
        (t["column"][h, kv] != 0) | (t["slash"][h, abs(q - kv)] != 0) | (q - kv <= left))
    return {
        "dense": lambda t, b, h, q, kv: kv <= q,
        "blocks": lambda t, b, h, q, kv: (kv <= q) & (t["block"][b, h, q // BLOCK, kv // BLOCK] != 0),
        "vertical_slash": stripe, "sample": stripe,
        "gathered": lambda t, b, h, q, kv: (q - kv < recent) | (t["heavy"][b, h, kv] != 0),
        "spans": lambda t, b, h, q, kv: (kv == q) | (t["named"][b, kv] != 0),
        "window": lambda t, b, h, q, kv: (kv <= q) & (q - kv < window),
        "streaming": lambda t, b, h, q, kv: (kv <= q) & ((q - kv < window) | (kv < SINKS)),
        "documents": lambda t, b, h, q, kv: (kv <= q) & (t["document"][0, q] == t["document"][0, kv]),
    }[setting["form"]]


# --- Work ---

def visited_pairs(setting):
    """Of all heads and sequences, counted in the lists."""
    return _visited(_key(setting))


@lru_cache(maxsize=256)
def _visited(key):
    setting = dict(key)
    form, inputs, seq, heads = setting["form"], inputs_of(setting), setting["seq"], setting["heads"]
    if form == "blocks":
        return BLOCK * BLOCK * (sum(inputs["full_count"][1]) + sum(inputs["partial_count"][1]))
    if form == "gathered":
        return setting["batch"] * heads * inputs["recent"] + sum(inputs["heavy_count"][1])
    if form == "spans":
        ends = inputs["spans"][1]
        return heads * (setting["batch"] + sum(ends[1::2]) - sum(ends[::2]))
    if setting["queries"] == 1:
        return setting["batch"] * heads * seq
    if form in ("vertical_slash", "sample"):
        return BLOCK * sum(stripe_keys(inputs, head, begin) for head in range(heads) for begin in range(0, seq, BLOCK))
    return setting["batch"] * heads * BLOCK * sum(group_keys(setting, begin) for begin in range(0, seq, BLOCK))


def group_keys(setting, begin):
    """Keys that the group of queries from `begin` on visits, where all heads visit the same."""
    end, near = begin + BLOCK, max(0, begin - prefill.WINDOW + 1)
    if setting["form"] == "documents":
        ids = inputs_of(setting)["document"][1]
        return end - bisect.bisect_left(ids, ids[begin])
    return {"dense": end, "window": end - near, "streaming": end - near + min(SINKS, near)}[setting["form"]]


def stripe_keys(inputs, head, begin):
    """The window and every diagonal are ranges of keys; columns count where no range holds them."""
    columns = inputs["columns"][1][head * inputs["columns"][0][1]:][:inputs["column_count"][1][head]]
    slashes = inputs["slashes"][1][head * inputs["slashes"][0][1]:][:inputs["slash_count"][1][head]]
    end, reached = begin + BLOCK, 0
    keys = bisect.bisect_left(columns, end)
    ranges = [(begin - far, end - far) for far in reversed(slashes)] + [(begin - inputs["window_left"], end)]
    for first, last in ranges:
        first = max(first, reached)
        if last > first:
            keys += last - first - bisect.bisect_left(columns, last) + bisect.bisect_left(columns, first)
            reached = last
    return keys


def density_of(setting):
    """The part of the dense twin's pairs that is visited."""
    return visited_pairs(setting) / visited_pairs(plain_of(setting))


def work_of(setting):
    """Multiplications and additions of the two products over the pairs that are visited."""
    return 4 * setting["head_dim"] * visited_pairs(setting)


def shares_of(setting, microseconds, rates):
    return {"us": microseconds, "tflops": work_of(setting) / microseconds / 1e6}


def figure_of(shares):
    return shares["us"]


def more_of(row):
    """Beside the share of the ideal: how many times as fast as the twin we are, and how many times that could be."""
    if not row["rate_to_twin"]:
        return f"{'-':>10} {'-':>8}"
    return f"{row['ratio_to_twin']:10.2f} {row['ratio_to_twin'] / row['rate_to_twin']:8.2f}"


def facts_of(setting):
    return {"density": density_of(setting), "visited_pairs": visited_pairs(setting)}


def reached(setting, row):
    """Whether a row is as near to its ideal as is asked of it."""
    return setting["form"] != "blocks" or (row["rate_to_twin"] or 0) >= REACH


# --- FlexAttention's blocks ---

def flex_blocks(setting):
    """For each head (one, when all see the same) and row of blocks: the blocks seen whole, and the others seen."""
    form, count = setting["form"], setting["seq"] // BLOCK
    if form == "blocks":
        inputs = inputs_of(setting)
        rows = [(list(row[:seen]), [at % count])
                for at, (row, seen) in enumerate(zip(rows_of(inputs["full"]), inputs["full_count"][1]))]
        return [rows[begin:begin + count] for begin in range(0, len(rows), count)]
    heads = setting["heads"] if form in ("vertical_slash", "sample") else 1
    return [[whole_and_others(setting, head, row) for row in range(count)] for head in range(heads)]


def whole_and_others(setting, head, row):
    form, inputs = setting["form"], inputs_of(setting)
    if form == "documents":
        ids = inputs["document"][1]
        first = bisect.bisect_left(ids, ids[row * BLOCK])
        last = bisect.bisect_left(ids, ids[row * BLOCK + BLOCK - 1])
        whole = range(-(-last // BLOCK), row)
        touched = set(range(first // BLOCK, row + 1))
    else:
        width = inputs.get("window_left", prefill.WINDOW - 1) + 1
        # Block j of a row lies (row - j) blocks back: its nearest pair is one key nearer than its last query, and so on.
        whole = range(max(0, row + 1 - width // BLOCK), row)
        touched = set(range(max(0, row - (width - 2) // BLOCK - 1), row)) | {row}
        if form == "streaming":
            touched.update(range(min(row + 1, -(-SINKS // BLOCK))))
        if "columns" in inputs:
            touched |= stripe_blocks(inputs, head, row)
    return list(whole), sorted(touched - set(whole))


def stripe_blocks(inputs, head, row):
    columns = inputs["columns"][1][head * inputs["columns"][0][1]:][:inputs["column_count"][1][head]]
    slashes = inputs["slashes"][1][head * inputs["slashes"][0][1]:][:inputs["slash_count"][1][head]]
    touched = {column // BLOCK for column in columns[:bisect.bisect_left(columns, (row + 1) * BLOCK)]}
    touched |= {row - far // BLOCK for far in slashes} | {row - far // BLOCK - 1 for far in slashes if far % BLOCK}
    return {block for block in touched if block >= 0}


# --- Specs ---

SPAN_DECODE = """!q = tensor<?x1x{heads}x128xbf16>
!kv = tensor<?x?x{kv_heads}x128xbf16>
!spans = tensor<?x1x?x2xi32, #attn.dims<batch, seq_q, most_spans, ends>>
!count = tensor<?x1xi32, #attn.dims<batch, seq_q>>
attn.kernel @span_decode(%q: !q, %k: !kv, %v: !kv, %spans: !spans, %span_count: !count) -> (o: !q) {{
  %s = attn.scores %q, %k : !q, !kv
  %m = attn.mask %s by @named(%spans, %span_count) : !spans, !count
  %p = attn.softmax %m
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}}
func.func @named(%b: index, %h: index, %q: index, %kv: index, %spans: tensor<?x?x?x2xi32>, %count: tensor<?x?xi32>) -> i1 {{
  %row = attn.row
  %named = attn.member %kv of %spans[%b, %row] count %count : tensor<?x?x?x2xi32> count tensor<?x?xi32>
  %self = arith.cmpi eq, %kv, %q : index
  %visible = arith.ori %named, %self : i1
  return %visible : i1
}}
"""
STREAMING = """!q = tensor<?x?x{heads}x128xbf16>
!kv = tensor<?x?x{kv_heads}x128xbf16>
attn.kernel @streaming_prefill(%q: !q, %k: !kv, %v: !kv) -> (o: !q) {{
  %sink_tokens = arith.constant {sinks} : index
  %window_left = arith.constant {left} : index
  %s = attn.scores %q, %k : !q, !kv
  %m = attn.mask %s by @streaming(%sink_tokens, %window_left) : index, index
  %p = attn.softmax %m
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}}
"""
READY = {"blocks": "block_sparse_prefill", "vertical_slash": "vertical_slash_prefill", "sample": "vertical_slash_prefill",
         "gathered": "alisa_decode"}


def spec_of(setting):
    """The text of our kernel: a ready spec of the compiler's own where there is one."""
    form, heads, kv_heads = setting["form"], setting["heads"], setting["kv_heads"]
    if form in READY:
        return f"// {name_of(setting)}\n{(SPECS / READY[form]).with_suffix('.mlir').read_text()}"
    if form in ("spans", "streaming"):
        text = SPAN_DECODE if form == "spans" else STREAMING
        return f"// {name_of(setting)}\n" + text.format(heads=heads, kv_heads=kv_heads, sinks=SINKS, left=prefill.WINDOW - 1)
    if setting["queries"] == 1:
        paged = {"page": 16, "layout": "pages"} if setting["dtype"] == "f16" else {}  # as the gathered cache lies
        lens = [setting["seq"]] * setting["batch"]
        return decode.spec_of(decode.setting_of("sparse", heads, kv_heads, lens, dtype=setting["dtype"], **paged))
    variant = "plain" if form == "dense" else form
    return prefill.spec_of(prefill.setting_of(setting["seq"], heads, 128, kv_heads=kv_heads, variant=variant))


def plain_of(setting):
    """The dense twin: all of the past."""
    return {**setting, "form": "dense", "density": 0}


# --- Who can compute a row ---

def unavailable(setting, system):
    """Why a system cannot compute a row at all; None when it should."""
    if system == "flash3" and setting["form"] != "window":
        return f"its function has no {setting['form']}"
    return None


def required_peers(setting):
    """A row without these is not won."""
    return ("flex", "flash3") if setting["form"] == "window" else ("flex",)
