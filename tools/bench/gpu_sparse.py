# SPDX-License-Identifier: Apache-2.0
"""The GPU side of `tools/bench/run sparse`: its tensors and lists, our kernels, FlexAttention on the same pairs."""
import prefill
import sparse
import torch
from gpu import DEVICE, DTYPES, Base, Graph, as_tensor, compare, compiled_flex, launcher, time_events, warmed

PAGE = 16
LAUNCHES = 8  # of one graph


def on_device(tensor):
    shape, values = tensor
    dtype = torch.bool if isinstance(values, bytearray) else torch.int32
    return torch.frombuffer(values, dtype=dtype).view(shape).to(DEVICE)


def tensors_of(setting):
    """Queries, keys and values of the normal distribution, in pages or contiguous, and all that our kernels are given."""
    torch.manual_seed(1)
    random = lambda *shape: torch.randn(*shape, device=DEVICE, dtype=DTYPES[setting["dtype"]])
    batch, seq, size = setting["batch"], setting["seq"], (setting["kv_heads"], setting["head_dim"])
    tensors = {"q": random(batch, setting["queries"], setting["heads"], setting["head_dim"])}
    if setting["form"] == "gathered":
        pages = batch * seq // PAGE
        tensors |= {"k_pool": random(pages, PAGE, *size), "v_pool": random(pages, PAGE, *size),
                    "page_table": torch.randperm(pages, device=DEVICE, dtype=torch.int32).view(batch, seq // PAGE),
                    "kv_lens": torch.full((batch,), seq, device=DEVICE, dtype=torch.int32)}
    else:
        tensors |= {"k": random(batch, seq, *size), "v": random(batch, seq, *size)}
    return tensors | {name: value if isinstance(value, int) else on_device(value)
                      for name, value in sparse.inputs_of(setting).items()}


def contiguous(setting, tensors):
    """Keys and values as (batch, seq, kv_heads, head_dim). A pool is read as if its pages lay in order: the same bytes."""
    shape = (setting["batch"], setting["seq"], setting["kv_heads"], setting["head_dim"])
    return [tensors[name].view(shape) if name in tensors else tensors[name[0]] for name in ("k_pool", "v_pool")]


# --- Peers ---

def flex(setting, tensors, tables):
    q, k, v = (tensor.transpose(1, 2) for tensor in (tensors["q"], *contiguous(setting, tensors)))
    mask = decode_mask(setting, tables) if setting["queries"] == 1 else prompt_mask(setting, tables)
    attention = compiled_flex()
    return lambda: attention(q, k, v, block_mask=mask, enable_gqa=setting["heads"] != setting["kv_heads"]).transpose(1, 2)


def decode_mask(setting, tables):
    from torch.nn.attention.flex_attention import create_block_mask
    visible, newest = sparse.mask_of(setting), setting["seq"] - 1
    heads = setting["heads"] if setting["form"] == "gathered" else None
    return create_block_mask(lambda b, h, i, j: visible(tables, b, h, i + newest, j), setting["batch"], heads, 1,
                             setting["seq"], device=DEVICE)


def prompt_mask(setting, tables):
    """The blocks are named, not searched for: a mask of all pairs would not fit. Blocks seen whole take no mask, and of
    the others in rows of blocks only the past is asked for, as its users would write it."""
    from torch.nn.attention.flex_attention import BlockMask
    asked = sparse.plain_of(setting) if setting["form"] == "blocks" else setting
    visible, heads = sparse.mask_of(asked), sparse.flex_blocks(setting)
    count, lists = setting["seq"] // sparse.BLOCK, []
    for kind in (1, 0):
        rows = [row[kind] for head in heads for row in head]
        shape = (1, len(heads), count)
        lists += [torch.tensor([len(row) for row in rows], dtype=torch.int32, device=DEVICE).view(shape),
                  on_device(((*shape, count), sparse.packed(rows, count)))]
    return BlockMask.from_kv_blocks(*lists, BLOCK_SIZE=sparse.BLOCK, mask_mod=lambda b, h, i, j: visible(tables, b, h, i, j))


def flash3(setting, tensors):
    import flash_attn_interface
    return lambda: as_tensor(flash_attn_interface.flash_attn_func(
        tensors["q"], tensors["k"], tensors["v"], causal=True, window_size=(prefill.WINDOW - 1, 0)))


# --- What is expected, in plain PyTorch: the newest queries of the first sequence, every pair asked for ---

def expected_last(setting, tensors, tables):
    if "page_table" in tensors:
        used = tensors["page_table"][0].long()
        k, v = (tensors[name][used].flatten(0, 1).float() for name in ("k_pool", "v_pool"))
    else:
        k, v = tensors["k"][0].float(), tensors["v"][0].float()
    count, seq, heads = min(setting["queries"], sparse.BLOCK), setting["seq"], setting["heads"]
    head, q, kv = (torch.arange(*span, device=DEVICE) for span in ((heads,), (seq - count, seq), (seq,)))
    seen = sparse.mask_of(setting)(tables, 0, head[:, None, None], q[:, None], kv).expand(heads, count, seq)
    groups = (setting["kv_heads"], heads // setting["kv_heads"])
    scores = torch.einsum("mhgd,nhd->hgmn", tensors["q"][0, -count:].float().unflatten(1, groups), k)
    scores.mul_(setting["head_dim"] ** -0.5).masked_fill_(~seen.unflatten(0, groups), float("-inf"))
    return torch.einsum("hgmn,nhd->mhgd", torch.softmax(scores, -1), v).flatten(1, 2)


class Backend(Base):
    def systems(self, setting):
        self.tensors = self.tables = None  # those of the row before leave the memory to these
        torch.cuda.empty_cache()
        self.tensors = tensors_of(setting)
        self.tables = {name: on_device(table) for name, table in sparse.tables_of(setting).items()}
        makers = {"attn": lambda: self.ours_of(setting), "attn_dense": lambda: self.ours_of(sparse.plain_of(setting)),
                  "flex": lambda: flex(setting, self.tensors, self.tables), "flash3": lambda: flash3(setting, self.tensors)}
        ready = warmed if setting["queries"] > 1 else lambda launch: Graph([launch] * LAUNCHES)
        return {name: lambda make=make: ready(make()) for name, make in makers.items()}

    def ours_of(self, setting):
        kernel = self.ours.load(sparse.spec_of(setting))
        given = {**self.tensors, "o": torch.empty_like(self.tensors["q"])}
        return launcher(kernel, {name: given[name] for name in kernel.arguments})

    def time(self, launch):
        return launch.time() if isinstance(launch, Graph) else time_events(launch, 10)

    def difference(self, setting, launches):
        if "attn" not in launches:
            return None
        launch = launches["attn"]
        output = launch.results[0] if isinstance(launch, Graph) else launch()
        torch.cuda.synchronize()
        expected = expected_last(setting, self.tensors, self.tables)
        return compare(output[0, -len(expected):], expected)

    def facts(self, setting):
        return sparse.facts_of(setting)
