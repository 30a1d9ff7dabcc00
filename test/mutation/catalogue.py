# SPDX-License-Identifier: Apache-2.0
"""Edits of whole kernels: typical mistakes, each with the diagnosis that it must get, and edits that change nothing."""
import re

from kernels import Pages, Problem

ENDS, ONE_TILE, LENGTHS = Problem(58, 122), Problem(5, 7), Problem(5, 60, (42, 7))


class Row:
    def __init__(self, name, edit, expected="", sentence="", kernel="causal", problem=ENDS, needs=None):
        self.name, self.edit, self.expected, self.sentence = name, edit, expected, sentence
        self.kernel, self.problem, self.needs = kernel, problem, needs


def in_body(change, label="full_tiles"):
    """An edit of what lies between a loop's label and its branch back."""

    def edit(text):
        begin = text.index(f"\n{label}:\n") + 1
        end = re.compile(rf"\n\t@%p\d+ bra \t?{label};").search(text, begin).end()
        return text[:begin] + change(text[begin:end]) + text[end:]

    return edit


def in_first_entry(change):
    """An edit of the entry that runs."""

    def edit(text):
        begin = text.index("\n.visible .entry")
        end = text.index("\n}\n", begin)
        return text[:begin] + change(text[begin:end]) + text[end:]

    return edit


def replace(pattern, new, count=1):
    return lambda text: re.sub(pattern, new, text, count=count)


def nth(pattern, index, new):
    """Replaces one of the matches, counted from 0."""

    def edit(text):
        found = list(re.finditer(pattern, text))
        match = found[index] if len(found) > index else None
        return text[:match.start()] + match.expand(new) + text[match.end():] if match else text

    return edit


WAIT_AND_BARRIER = r"\tcp\.async\.wait_group 0;\n\tbar\.sync \t?0;\n"
COPY = r"(\tcp\.async\.cg\.shared\.global \[[^]]*\], \[[^]]*\], 16, )%r\d+;"


def narrow_swizzle(text):
    """The addresses of loads take two bits of the row instead of three."""
    bit = re.search(r"\tbfe\.u32 \t(%r\d+), %r\d+, 4, 1;\n", text)
    return re.sub(rf"\txor\.b32 \t(%r\d+), (%r\d+), {bit[1]};\n",
                  rf"\tand.b32 \t\1, \2, 3;\n\txor.b32 \t\1, \1, {bit[1]};\n", text, count=1)


def no_sum_before_branch(text):
    """The register that the last reduction starts from gets its first value inside of the branch alone."""
    total = re.search(r"\$L__BB0_\d+:\n\tshfl\.sync\.bfly\.b32 %r\d+, (%r\d+), 2,", text)[1]
    first = list(re.finditer(rf"\tmov\.b32 \t{total}, [^;]*;\n", text))[-1]
    return text[:first.start()] + text[first.end():]


def barrier_of_two_warps(body):
    """A barrier of its own number: had it that of the loop, the other warps would complete it with their next one."""
    return body.replace(":\n", ":\n\t.reg .pred %two;\n\t.reg .b32 %thread;\n\tmov.u32 %thread, %tid.x;\n"
                        "\tsetp.gt.u32 %two, %thread, 63;\n\t@%two bra past_barrier;\n\tbar.sync 1;\npast_barrier:\n", 1)


def product_of_half_a_warp(body):
    product = re.search(r"\tmma\.sync.*?;\n", body, re.S)
    return (body[:product.start()] + "\t.reg .pred %half;\n\t.reg .b32 %lane;\n\tmov.u32 %lane, %laneid;\n"
            "\tsetp.gt.u32 %half, %lane, 15;\n\t@%half bra past_product;\n" + product[0] + "past_product:\n" +
            body[product.end():])


def one_full_tile_more(text):
    """The number of full tiles is the largest of 0 and a quotient that stands before the loops."""
    found = list(re.finditer(r"\tmax\.s32 \t(%r\d+), %r\d+, 0;\n", text[:text.index("\nfull_tiles:")]))[-1]
    return text[:found.end()] + f"\tadd.s32 \t{found[1]}, {found[1]}, 1;\n" + text[found.end():]


def drop_masks(body):
    return re.sub(r"\tselp\.f32 \t(%r\d+), (%r\d+), 0fFF800000, %p\d+;", r"\tmov.b32 \t\1, \2;", body)


def other_order_of_products(body):
    """Exchanges two neighbours that neither read nor write what the other writes."""
    products = list(re.finditer(r"\tmma\.sync[^;]*;\n", body))
    for first, second in zip(products, products[1:]):
        words = [re.findall(r"%r\d+", one[0]) for one in (first, second)]
        if first.end() == second.start() and not set(words[0][:4]) & set(words[1]) and not set(words[1][:4]) & set(words[0]):
            return body[:first.start()] + second[0] + first[0] + body[second.end():]
    return body


STORE_BOUND = r"\t@%p\d+ bra \t?\$L__BB0_\d+;\n(?=(?:\t(?!@)[^\n]*\n)*?\tst\.global)"
WRONG = "largest error .* fail"
ROWS = [
    Row("1: no barrier after the wait", in_body(replace(WAIT_AND_BARRIER, "\tcp.async.wait_group 0;\n")), "race-shared"),
    Row("2: no barrier before the next stage", in_body(nth(WAIT_AND_BARRIER, 1, "\tcp.async.wait_group 0;\n")),
        "war-shared|race-shared"),
    Row("3: waits for one group less", in_body(replace(r"wait_group 0", "wait_group 1")), "inflight-smem"),
    Row("4: barrier before wait", in_body(nth(WAIT_AND_BARRIER, 1, "\tbar.sync 0;\n\tcp.async.wait_group 0;\n")), "race-shared"),
    Row("5: one commit less", in_body(replace(r"\tcp\.async\.commit_group;\n", "")), "inflight-smem"),
    Row("6: values copied in full", in_body(nth(COPY, 1, r"\g<1>16;"), "masked_tiles"), "oob", r"at v\+15616"),
    Row("6: values copied in full, behind a length", in_body(nth(COPY, 1, r"\g<1>16;"), "masked_tiles"), "poison-use",
        kernel="lengths", problem=LENGTHS),
    Row("7: result stored without its bound", in_first_entry(replace(STORE_BOUND, "")), "oob", r"at o\+", problem=ONE_TILE),
    Row("8: swizzle of loads too narrow", in_first_entry(narrow_swizzle), "wrong result", WRONG),
    Row("9: values loaded without .trans", in_body(replace(r"\.x4\.trans\.", ".x4.", 0)), "wrong result", WRONG),
    Row("10: two registers of A exchanged",
        in_body(replace(r"(mma\.sync\S*\s+\{[^}]*\},\s+)\{(%r\d+), (%r\d+),", r"\1{\3, \2,")), "wrong result", WRONG),
    Row("11: halves of a pair exchanged",
        in_body(replace(r"(cvt\.rn\.bf16x2\.f32 \t%r\d+), (%r\d+), (%r\d+);", r"\1, \3, \2;")), "wrong result", WRONG),
    Row("12: last tile not masked", in_body(drop_masks, "masked_tiles"), "wrong result", WRONG),
    Row("12: last tile not masked, behind a length", in_body(drop_masks, "masked_tiles"), "wrong result", WRONG,
        kernel="lengths", problem=LENGTHS),
    Row("13: sum begins in one branch", in_first_entry(no_sum_before_branch), "poison-use", problem=ONE_TILE),
    Row("14: shuffle of half a warp", in_body(replace(r"(shfl\.sync\.bfly\.b32 [^;]*), -1;", r"\1, 0x0000ffff;")),
        "aligned", "executing lanes 16-31 not in the membership mask"),
    Row("15: barrier of two warps", in_body(barrier_of_two_warps), "deadlock", "64 of 128 threads"),
    Row("16: product of half a warp", in_body(product_of_half_a_warp), "aligned"),
    Row("17: one full tile more", in_first_entry(one_full_tile_more), "wrong result", WRONG),
]



def in_loop(change):
    """An edit of the loop of test/sim/wgmma-attention.ptx."""

    def edit(text):
        begin, end = text.index("\nLOOP:\n"), text.index("bra LOOP;")
        return text[:begin] + change(text[begin:end]) + text[end:]

    return edit


def before_wait(pattern):
    """What follows the wait for the second product comes before it."""

    def edit(body):
        moved = re.search(rf"(?:  {pattern};\n)+", body[body.index("aligned 0;"):])[0]
        wait = "  wgmma.wait_group.sync.aligned 0;\n"
        return body.replace(moved, "").replace(wait, moved + wait)

    return edit


# Edits of a kernel written by hand, for what attnc does not emit for sm_80: products of warpgroups.
PRODUCTS = [
    Row("18: no proxy fence after the stores", in_loop(replace(r"  fence\.proxy\.async;\n", "")), "proxy"),
    Row("24: no barrier before the next tile is stored", in_loop(replace(r"  bar\.sync 0;\n  add", "  add")), "war-shared"),
    Row("25: waits for one group less", in_loop(replace(r"wait_group\.sync\.aligned 0", "wait_group.sync.aligned 1")),
        "inflight-reg", "writes %r40, which a wgmma still reads"),
    Row("25: sums rescaled before the wait", in_loop(before_wait(r"mul\.f32 [^;]*")), "inflight-reg",
        "writes %f8, which a wgmma still writes"),
    Row("26: conversion before the wait", in_loop(before_wait(r"cvt\.rn\.f16x2\.f32 [^;]*")), "inflight-reg",
        "writes %r40, which a wgmma still reads"),
    Row("27: no fence after the sums are rescaled", in_loop(replace(r"  wgmma\.fence\.sync\.aligned;\n", "")), "wgmma-fence"),
    Row("28: stride of k halved", replace(r"(or\.b64 %rd5, %rd5, 0xc00000)10", r"\g<1>08"), "wrong result"),
]

SAME_PRODUCTS = [
    Row("a fence more", in_loop(replace(r"(  wgmma\.fence\.sync\.aligned;\n)", r"\1\1"))),
    Row("all groups where one may be left", in_loop(replace(r"wait_group\.sync\.aligned 1", "wait_group.sync.aligned 0"))),
    Row("proxy fence after the barrier", replace(r"(  fence\.proxy\.async;\n)(  bar\.sync 0;\n)", r"\2\1", 0)),
    Row("leading distance where rows are swizzled", replace(r"(or\.b64 %rd5, %rd5, 0xc0000010000)1", r"\g<1>7")),
]

ROLES, SOME_KEYS = Problem(70, 270), Problem(70, 230, (202,))
STORE = "cp.async.bulk.tensor.4d.global"
RETRY = r"\t\{\n\t\.reg \.pred done;\nretry:\n\tmbarrier\.try_wait[^}]*\}\n"
RELEASE = r"(?:\tadd\.s32 \t%r\d+, %r\d+, \d+;\n)\t\{\n\t\.reg \.pred first;\n[^}]*\}\n"


def before_store(change):
    """An edit of what lies between the first row in shared memory that is stored and its store."""

    def edit(text):
        begin = text.index("\tstmatrix")
        end = text.index(";", text.index(STORE))
        return text[:begin] + change(text[begin:end]) + text[end:]

    return edit


def fence_of_one_thread(body):
    """Before the barrier, where each thread has written for itself."""
    fence = re.search(r"\tfence\.proxy\.async\S*;\n", body)[0]
    return body.replace(fence, "\t{\n\t.reg .pred one;\n\t.reg .b32 lane;\n\tmov.u32 lane, %laneid;\n"
                        f"\tsetp.eq.u32 one, lane, 0;\n\t@one {fence.strip()}\n\t}}\n", 1)


def in_copies(change):
    """An edit of what the copying role does."""

    def edit(text):
        begin, end = text.index("\tsetmaxnreg.dec"), text.index("\tsetmaxnreg.inc")
        return text[:begin] + change(text[begin:end]) + text[end:]

    return edit


def barriers_of(text, index, edit):
    """The mbarriers of an entry, as init lines: changes one, counted from 0."""
    return nth(r"(\tmbarrier\.init\.shared::cta\.b64 \[%r\d+\+\d+\], )(\d+);", index, edit)(text)


def release_early(body):
    """A stage is given back before the wait for the product that reads it."""
    match = re.search(rf"(\twgmma\.wait_group\.sync\.aligned 0;\n)({RELEASE})", body)
    return body[:match.start()] + match[2] + match[1] + body[match.end():]


def convert_early(body):
    wait = "\twgmma.wait_group.sync.aligned 0;\n"
    last = [match[0] for match in re.finditer(r"\tcvt\.rn\.bf16x2[^;]*;\n", body)][-1]
    return body.replace(last, "").replace(wait, last + wait)


def in_roles(name, edit, expected, sentence="", **more):
    return Row(name, edit, expected, sentence, kernel="roles-causal", problem=ROLES, **more)


def in_lengths(name, edit, expected, sentence=""):
    return Row(name, edit, expected, sentence, kernel="roles-lengths", problem=SOME_KEYS)


# A map that has more rows than its tensor is no edit of a kernel, as it is made from sizes when a kernel is launched:
# row 34 is test/sim/error-tensor-oob.ptx. Where several things are wrong, what is said is what comes first:
# - half the bytes (20) end a phase with the first half of them, and else before a copy that is under way;
# - a parity that is not toggled (22) lets a wait pass when the tile before has come;
# - copies that wait for nothing (23) arrive for the next fill of a stage before the first has come;
# - from rows 512 bytes apart (28) a warp reads those of another, over which that one may store its output.
# Nothing more is written to the memory that the output is stored from, so that without a wait for its reads (31) the
# program ends too early.
ROWS += [
    in_roles("18: no proxy fence before the store", before_store(replace(r"\tfence\.proxy\.async\S*;\n", "")), "proxy",
             needs=STORE),
    in_roles("19: proxy fence of the storing thread alone", before_store(fence_of_one_thread), "proxy", needs=STORE),
    in_lengths("19b: no proxy fence after rows are cleared", replace(r"\tfence\.proxy\.async\S*;\n", "", 0), "proxy"),
    in_roles("20: half the bytes", in_first_entry(replace(r"(expect_tx\S* _, \[%r\d+\]), 8192;", r"\1, 4096;", 0)),
             "mbar-stale|inflight-smem"),
    in_roles("21: twice the bytes", in_first_entry(replace(r"(expect_tx\S* _, \[%r\d+\]), 8192;", r"\1, 16384;", 0)),
             "deadlock", "8192 transaction bytes|8192 bytes"),
    in_roles("22: parity not toggled", in_body(replace(r"\tbfe\.u32 \t(%r\d+), %r\d+, 1, 1;", r"\tmov.b32 \t\1, 0;")),
             "deadlock|mbar-lapped|inflight-smem"),
    in_roles("23: copies do not wait for stages", in_copies(replace(RETRY, "", 0)), "war-shared|mbar-overflow"),
    in_roles("24: stage given back before the wait", in_body(release_early), "war-shared"),
    in_roles("25: waits for one group less", in_body(replace(r"(wait_group\S*) 0", r"\1 1")), "inflight-reg"),
    in_roles("26: conversion before the wait", in_body(convert_early), "inflight-reg", "which a wgmma still reads"),
    in_roles("27: no fence after the sums are rescaled", in_body(replace(r"\twgmma\.fence\.sync\.aligned;\n", "", 0)),
             "wgmma-fence"),
    in_roles("28: stride of rows halved", in_first_entry(replace(r"\{low, 1073741888\}", "{low, 1073741856}", 0)),
             "wrong result|poison-use|oob|war-shared"),
    in_roles("29: half the releases", lambda text: barriers_of(text, 2, r"\g<1>4;"), "mbar-overflow|war-shared"),
    in_roles("30: no barrier after mbarriers are made", in_first_entry(replace(r"\tbar\.sync 0;\n", "")),
             "race-shared|mbar-uninit"),
    in_roles("30: no fence after mbarriers are made", in_first_entry(replace(r"\tfence\.mbarrier_init\S*;\n", "")),
             "mbar-uninit"),
    in_roles("31: no wait for the reads of the store", in_first_entry(replace(r"\tcp\.async\.bulk\.wait_group\.read 0;\n", "", 0)),
             "unfinished", needs=STORE),
    in_roles("32: more registers than there are", in_first_entry(replace(r"(setmaxnreg\.inc\S*) 240", r"\1 248")),
             "deadlock", "registers"),
    in_lengths("33: barrier of too many threads", replace(r"\tbar\.sync 1, 256;", "\tbar.sync 1, 384;", 0), "deadlock"),
]

# What a step needs of the one before it. The wait alone is missed by whoever loads the file.
WAIT = r"\tgriddepcontrol\.wait;\n"
SOME_PARTS = Pages(1, 21, 325, 160)


def after_first_part(text):
    """The wait of the second step, moved behind the first thing that it reads of the workspace."""
    begin = text.index("\n.visible .entry decode_merge(")
    body = re.sub(WAIT, "", text[begin:], count=1)
    read = re.search(r"\tld\.global\.v2\.f32 [^;]*;\n", body)
    return text[:begin] + body[:read.end()] + "\tgriddepcontrol.wait;\n" + body[read.end():]


ROWS += [
    Row("35: no wait for the step before", replace(WAIT, "", 0), "no line", "expects griddepcontrol.wait in entry 'decode_merge'",
        kernel="merge-sm_90a", problem=SOME_PARTS),
    Row("35: waits behind the first read", after_first_part, "launch-before", kernel="merge-sm_90a", problem=SOME_PARTS),
]

EQUIVALENT = [
    Row("steps in the usual order", replace(r"//! overlaps-previous\n", "", 0), kernel="merge-sm_90a", problem=SOME_PARTS),
    Row("no program lets the next step begin", replace(r"\tgriddepcontrol\.launch_dependents;\n", "", 0),
        kernel="merge-sm_90a", problem=SOME_PARTS),
    Row("wait before all else", lambda text: re.sub(r"(\.visible \.entry decode_merge\(.*?\.reg [^{}]*?\n\n)",
                                                    r"\1\tgriddepcontrol.wait;\n", text, count=1, flags=re.S),
        kernel="merge-sm_90a", problem=SOME_PARTS),
    Row("a barrier more", in_body(replace(r"\tbar\.sync \t?0;\n", "\tbar.sync 0;\n\tbar.sync 0;\n"))),
    Row("all groups where one may be left", in_first_entry(replace(r"wait_group 1;", "wait_group 0;"))),
    Row("all groups where some may be left", in_first_entry(replace(r"wait_group [23];", "wait_group 0;", 0)), kernel="stages"),
    Row("copies through both caches", in_first_entry(replace(r"cp\.async\.cg\.", "cp.async.ca.", 0))),
    Row("copies with a hint", in_first_entry(replace(r"cp\.async\.cg\.shared\.global ", "cp.async.cg.shared.global.L2::128B ", 0))),
    Row("operands of max exchanged", in_body(replace(r"(max\.NaN\.f32 \t%r\d+), (%r\d+), (%r\d+);", r"\1, \3, \2;", 0))),
    Row("order of products", in_body(other_order_of_products)),
]
