# SPDX-License-Identifier: Apache-2.0
"""What `tools/bench/run prefill` measures: the rows, their specs, their work, and who can compute them. No GPU needed."""
import random

UNIT = "TFLOP/s"
TOKENS, HIDDEN = 16384, 2048
WINDOW, CAP, DOCUMENTS = 1024, 50.0, 8

OURS = ("attn", "attn_sm80")
TWIN = "attn_plain"
PEERS = ("sdpa_flash", "sdpa_cudnn", "sdpa_efficient", "flex", "flash3")
SYSTEMS = (*OURS, TWIN, *PEERS)


def setting_of(seq, heads, head_dim, kv_heads=None, value_dim=None, batch=1, variant="plain", causal=True):
    return {"variant": variant, "dtype": "bf16", "batch": batch, "seq": seq, "heads": heads,
            "kv_heads": kv_heads or heads, "head_dim": head_dim, "value_dim": value_dim or head_dim, "causal": causal}


def settings():
    """The rows: the grid of the papers, a grouped model, unequal head dims, then every variant that has a plain twin."""
    both, lengths = (False, True), (2048, 4096, 8192, 16384, 32768)
    rows = [setting_of(seq, HIDDEN // dim, dim, batch=TOKENS // seq, causal=causal)
            for dim in (64, 128, 256) for causal in both for seq in (512, 1024, 2048, 4096, 8192, 16384)]
    rows += [setting_of(seq, 64, 128, kv_heads=8, causal=causal) for causal in both for seq in lengths]
    rows += [setting_of(seq, 128, 192, value_dim=128, causal=causal) for causal in both for seq in (2048, 4096, 8192)]
    rows += [setting_of(seq, 64, 64, kv_heads=8, variant="window") for seq in lengths]
    rows += [setting_of(seq, HIDDEN // dim, dim, batch=TOKENS // seq, variant=variant)
             for variant in ("softcap", "alibi", "documents") for dim in (64, 128) for seq in (1024, 4096, 16384)]
    return rows


def name_of(setting):
    heads = f"{setting['heads']}" if setting["heads"] == setting["kv_heads"] else f"{setting['heads']}/{setting['kv_heads']}"
    dims = f"{setting['head_dim']}" if setting["head_dim"] == setting["value_dim"] else (
        f"{setting['head_dim']}/{setting['value_dim']}")
    form = setting["variant"] if setting["variant"] != "plain" else "causal" if setting["causal"] else "full"
    return f"seq={setting['seq']} batch={setting['batch']} heads={heads} d={dims} {form}"


# --- Work ---

def document_lengths(setting):
    """For each row of the batch the lengths of its documents, one after another: random cuts, the same in every run."""
    seq, chosen = setting["seq"], []
    for row in range(setting["batch"]):
        cuts = sorted(random.Random(1000 * seq + row).sample(range(1, seq), min(DOCUMENTS, seq) - 1))
        chosen.append([end - begin for begin, end in zip([0, *cuts], [*cuts, seq])])
    return chosen


def causal_pairs(length):
    return length * (length + 1) // 2


def visible_pairs(setting):
    """Pairs of a query and a key that it sees, of one head over the whole batch."""
    seq, batch = setting["seq"], setting["batch"]
    if setting["variant"] == "documents":
        return sum(causal_pairs(length) for lengths in document_lengths(setting) for length in lengths)
    if setting["variant"] == "window":
        near = min(WINDOW, seq)
        return batch * (causal_pairs(near) + (seq - near) * near)
    return batch * (causal_pairs(seq) if setting["causal"] else seq * seq)


def mask_of(setting):
    """The same set as a function of (row, query, key) in operators that numbers and tensors share; None sees all.

    Documents come with the table that the test or the GPU side builds from document_lengths: table[row, entry].
    """
    if setting["variant"] == "window":
        return lambda table, b, q, kv: (kv <= q) & (q - kv < WINDOW)
    if setting["variant"] == "documents":
        return lambda table, b, q, kv: (kv <= q) & (table[b, q] == table[b, kv])
    return (lambda table, b, q, kv: kv <= q) if setting["causal"] else None


def work_of(setting):
    """Multiplications and additions of the two products over the pairs that are visible."""
    return 2 * setting["heads"] * visible_pairs(setting) * (setting["head_dim"] + setting["value_dim"])


def shares_of(setting, microseconds, rates):
    """The columns of a row, for one system: what it reached, and what part of the chip's measured rate that is."""
    tflops = work_of(setting) / microseconds / 1e6
    return {"tflops": tflops, "of_matrix_rate": tflops / rates["matrix_tflops"]}


def figure_of(shares):
    return shares["tflops"]


# --- Specs ---

MASKS = {
    "window": ("%window_left = arith.constant {window_left} : index", "by @sliding_window(%window_left) : index"),
    "documents": ("", "by @same_document(%document) : !ids"),
}
MODIFIERS = {
    "softcap": ("%cap = arith.constant {cap} : f32", "by @softcap(%cap) : f32"),
    "alibi": ("", "by @alibi(%slopes) : !slopes"),
}


def spec_of(setting, schedule=""):
    """The text of our kernel; `schedule` stands behind its results ("schedule<num_splits = 1>")."""
    named = setting["variant"] == "documents"
    dims = {heads: f", #attn.dims<batch, seq, {heads}, head_dim>" if named else "" for heads in ("heads", "kv_heads")}
    tensor = "tensor<?x?x{}x{}x{}{}>".format
    q, k, v = (tensor(setting[heads], setting[dim], setting["dtype"], dims[heads]) for heads, dim in (
        ("heads", "head_dim"), ("kv_heads", "head_dim"), ("kv_heads", "value_dim")))
    types = {"q": q, "k": k, "v": v, "o": tensor(setting["heads"], setting["value_dim"], setting["dtype"], dims["heads"])}
    extra, extra_type = {"documents": (", %document: !ids", "tensor<?x?xi32, #attn.dims<batch, seq>>"),
                         "alibi": (", %slopes: !slopes", f"tensor<{setting['heads']}xf32>")}.get(setting["variant"], ("", ""))
    lines = [f"!{name} = {text}" for name, text in types.items()]
    if extra:
        lines.append(f"!{extra.split('!')[1]} = {extra_type}")
    lines.append(f"attn.kernel @prefill(%q: !q, %k: !k, %v: !v{extra}) -> (o: !o) {schedule}{' ' if schedule else ''}{{")
    lines += body_of(setting)
    return f"// {name_of(setting)}\n" + "\n".join(lines) + "\n}\n"


def body_of(setting):
    """The lines of a kernel, each on what the one before it made."""
    constants, variant = [], setting["variant"]
    chain, scores = ["%s = attn.scores %q, %k : !q, !k"], "%s"
    if variant in MODIFIERS:
        constant, by = MODIFIERS[variant]
        constants.append(constant.format(cap=CAP))
        chain.append(f"%f = attn.modify {scores} {by}")
        scores = "%f"
    if variant in MASKS:
        constant, by = MASKS[variant]
        constants.append(constant.format(window_left=WINDOW - 1))
        chain.append(f"%w = attn.mask {scores} {by}")
        scores = "%w"
    if setting["causal"] and variant != "window":  # a window looks at the past only
        chain.append(f"%m = attn.mask {scores} by @causal")
        scores = "%m"
    chain += [f"%p = attn.softmax {scores}", "%o = attn.output %p, %v : !v -> !o", "attn.return %o : !o"]
    return [f"  {line}" for line in [*filter(None, constants), *chain]]


def plain_of(setting):
    """The twin without the variant: a row that has one is compared with it."""
    return {**setting, "variant": "plain"}


# --- Who can compute a row ---

def unavailable(setting, system):
    """Why a system cannot compute a row at all; None when it should."""
    variant = setting["variant"]
    if system == TWIN:
        return "a plain row is its own twin" if variant == "plain" else None
    if system.startswith("sdpa") and variant != "plain":
        return f"PyTorch's function has no {variant}"
    if system == "flash3" and variant in ("alibi", "documents"):
        return f"its function has no {variant} of this layout"
    return None


def required_peers(setting):
    """A row without these is not won: the fastest on this chip of those that can compute it."""
    if setting["variant"] == "plain":
        return ("sdpa_cudnn", "flash3")
    return tuple(peer for peer in ("flex", "flash3") if not unavailable(setting, peer))
