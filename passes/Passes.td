// SPDX-License-Identifier: Apache-2.0
// The passes, in the order in which the compiler runs them.
#ifndef ATTN_PASSES
#define ATTN_PASSES

include "mlir/Pass/PassBase.td"

include "passes/SpecPasses.td"

include "passes/WalkPasses.td"

def OverlapProducts : Pass<"overlap-products", "::mlir::func::FuncOp"> {
  let summary = "Rotate the loop so that a product runs beside the softmax of another tile";
  let description = [{
    Where products are asynchronous, the plain loop leaves the matrix unit idle during the softmax. `tile.overlap` of the
    function says how to fill it.

    `output_behind` (FlashAttention-3, section 3.2): the product of weights and values runs one step late, beside the
    softmax of the next tile. The loop then carries the weights, and an output that is already rescaled. The weights are
    converted to 16 bits behind the wait: the running product still reads the last ones, and the assembler would give
    both the same registers and, to be safe, run all products one after another. The first tile is taken out in front of
    the loop, with all its masks, and the last product behind it.

    `scores_ahead`: the product of queries and keys runs one step early, right behind the output product. The loop carries
    scores in addition and no weights; its products run beside the softmax of another warpgroup (see `take-turns`). The first score product stands in front of the loop, and the last step, with
    all its masks, behind it, so that no keys beyond the range are loaded.

    `none` leaves the loop as it is, as do loops without products of their own, around others.

    Refuses a loop that has not two products, one of them into a carried output.

    Before:
    ```
    scf.for %t = %first to %end step %c1 iter_args(%acc = %zero, ...) {
      %s = tile.dot %q, trans_b %k
      ... softmax: %p, %alpha
      %acc_s = arith.mulf %acc, %alpha
      %acc_n = tile.dot %p, %v into %acc_s
    ```
    After, with `output_behind`:
    ```
    ... the first tile: %p_0
    scf.for %t = %second to %end step %c1 iter_args(%acc = %zero, ..., %p = %p_0) {
      %s_begun = tile.dot_start %q, trans_b %k
      %acc_begun = tile.dot_start %p, %v_before into %acc
      %s = tile.dot_wait %s_begun leaving 1
      ... softmax, %alpha
      %acc_n = tile.dot_wait %acc_begun leaving 0
      ... %p_n
      %acc_s = arith.mulf %acc_n, %alpha
    }
    ... the last product
    ```
    After, with `scores_ahead`:
    ```
    ... the first scores: %s_0
    scf.for %t = %first to %last step %c1 iter_args(%acc = %zero, ..., %s = %s_0) {
      ... softmax: %p, %alpha
      %acc_s = arith.mulf %acc, %alpha
      %acc_begun = tile.dot_start %p, %v into %acc_s
      %s_begun = tile.dot_start %q, trans_b %k_next
      %acc_n = tile.dot_wait %acc_begun leaving 1
      %s_n = tile.dot_wait %s_begun leaving 0
    }
    ... the last softmax and output product
    ```
  }];
  let dependentDialects = ["::attn::tile::TileDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def DistributePrograms : Pass<"distribute-programs", "::mlir::func::FuncOp"> {
  let summary = "Let as many programs as run at once take the work item by item";
  let description = [{
    A function that says `tile.distribution = "persistent"` is started once for each multiprocessor, not once for each
    block of rows: a program takes items number, number + count, ... of the box that `tile.program` had for a grid. It
    stands in front of `assign-roles`, so that both roles get the same loop: the loading warps run ahead into the next
    item while the others still finish this one, and nothing is started, and no barrier made, a second time.

    Items are numbered so that those with the most keys under a causal mask come first: the first coordinate of the
    box varies slowest, the others faster. The last items are then short, and programs end at about the same time. Heads
    are taken in groups whose keys and values fill at most half of the second cache: all blocks of rows of a group come
    before the next group, so its keys are read from memory once. Query heads that share their keys are neighbours and
    stay together. How many keys there are may be known only at launch; the size of a group is then computed with them.

    Alternatives: one item a program, what is left when the attribute is missing or another word. It costs the start of
    a program per item and leaves the multiprocessor idle while the first tiles of the next item arrive, but a program
    that ends early is replaced at once, which a fixed share of items cannot do. Items handed out by a counter in memory
    would join both; that needs a counter which every launch sets back.

    Refuses a function with another number of `tile.program` than one.

    Before:
    ```
    %block, %head, %batch = tile.program %blocks, %heads, %batches
    ...
    ```
    After:
    ```
    %number, %count = tile.worker %items
    scf.for %item = %number to %items step %count {
      %group = arith.divui %item, %items_of_group
      ...
      %block = arith.divui %item_in_group, %heads_of_group
      ...
    }
    ```
  }];
  let dependentDialects = ["::attn::tile::TileDialect", "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def AssignRoles : Pass<"assign-roles", "::mlir::func::FuncOp"> {
  let summary = "Give the loads to warps of their own";
  let description = [{
    For functions with `tile.atom`, the matrix instruction of whole warpgroups. A load that feeds a product becomes a fill
    of a ring in the loading role, an await and a release in the computing one. The loading role is the function with
    everything left out that fills do not need, so it fills in the order in which the other awaits, and cannot lag in a
    way that blocks. Fills are numbered from 0 by arithmetic on loop counters. A loop whose steps load unequally often,
    as that over items of work, carries the next number of each ring: numbers go on from item to item.

    Values of sequences whose lengths are data (`attn.lengths`) get a `tile.blank` behind the await. Results of 16 bits
    leave by boxes, through the buffer of the queries, where lengths are not data and a warpgroup's 64 rows are whole
    tokens.

    Results of 16 bits leave through a buffer of their own where shared memory has room for it: the store may then still
    read it while the next item is computed. Where there is no room they pass through the buffer of the queries, if it
    lies there in the same rows of bytes, and the queries are released behind the store.

    A list of tiles is made in front of the roles, by all warps; both go through its places.

    Refuses a load whose row depends on a computed tile.

    Before:
    ```
    %q = tile.load %query[%row]
    scf.for %t = %first to %end step %c1 {
      %k = tile.load %keys[%col]
      %s = tile.dot %q, trans_b %k
    ```
    After:
    ```
    tile.roles load warps = 4 registers = 24 {
      tile.fill %q_ring[%c0] from %query[%row]
      scf.for %t = %first to %end step %c1 {
        %n = arith.subi %t, %first
        tile.fill %k_ring[%n] from %keys[%col]
      }
    } compute warps = 8 registers = 240 {
      %q = tile.await %q_ring[%c0]
      scf.for %t = %first to %end step %c1 {
        %n = arith.subi %t, %first
        %k = tile.await %k_ring[%n]
        %s = tile.dot %q, trans_b %k
        tile.release %k_ring[%n]
    ```
  }];
  let dependentDialects = ["::attn::tile::TileDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def CheckRings : Pass<"check-rings", "::mlir::func::FuncOp"> {
  let summary = "Run the roles of a kernel on small sizes, as far as rings are concerned";
  let description = [{
    A check, not a change: index arithmetic and control flow of both roles are executed for a few sizes, and the events of
    rings are played against each other. Fills, awaits and releases of a ring must each count up from 0; a fill must find
    its stage released, an await its fill begun, a release its await; and at the end both roles are through and every fill
    is released. What hangs is named with the operation that it hangs at.

    Before and after: `tile.roles load ... compute ...`
  }];
}

def PipelineLoads : Pass<"pipeline-loads", "::mlir::func::FuncOp"> {
  let summary = "Turn loads of product operands into fills of rings that run ahead";
  let description = [{
    A load that feeds a product becomes an await of a ring; the matching fill stands as early as the ring allows.
    Loads keep their order in the text: the fill of the next load in line is begun right behind an await, which is
    the moment when every warp is known to have finished with the buffer it goes to. With one stage per ring this is
    the order of FlashAttention-2: await K, begin V, first product, await V, begin the next K, softmax, second product.

    Loops behind the first one, over other sequences, use its rings if their tiles are alike. All fills are awaited in
    between.

    In a `scf.while` over segments of work, each of which loads queries and walks keys, all this happens in its body. At
    the end of the body all fills are awaited once more: the last loop leaves one of no rows under way, and every warp
    must be done with the buffers before the next segment begins to fill them.

    ```
    scf.while ... do {
      tile.fill %q_ring[%c0] from %query[%row]
      tile.fill %k_ring[%first] from %keys[%col_first] when %any
      ...
      scf.for %t = %first to %end ...
      %landed = tile.await %k_ring[%end]
      tile.release %k_ring[%end]
      scf.yield ...
    ```

    Before:
    ```
    scf.for %t = %first to %end step %c1 ... {
      %k = tile.load %keys[%col] : !view -> !k
      %s = tile.dot %q, trans_b %k : ...
      %v = tile.load %values[%col] : !view -> !v
    ```
    After:
    ```
    tile.fill %k_ring[%first] from %keys[%col_first] when %any : ...
    scf.for %t = %first to %end step %c1 ... {
      %k = tile.await %k_ring[%t] : ...
      tile.fill %v_ring[%t] from %values[%col] : ...
      %s = tile.dot %q, trans_b %k : ...
      tile.release %k_ring[%t] : ...
      %v = tile.await %v_ring[%t] : ...
      tile.fill %k_ring[%next] from %keys[%col_next] when %more : ...
    ```
  }];
}

def AssignLayouts : Pass<"assign-layouts", "::mlir::func::FuncOp"> {
  let summary = "Say for every tile which thread holds which element";
  let description = [{
    The products are the anchors: their accumulators are spread over warps by rows, so that no two warps share a row.
    From there layouts follow the values: elementwise operations keep them, reductions give slices, the first operand
    of a product in registers becomes an `operand` by a conversion that costs nothing, tiles that come from rings lie
    in shared memory with the widest swizzle that divides their columns.

    Refuses a tile whose rows are no multiple of 16 per warp, naming the tile.

    Before: `%s = tile.dot %q, trans_b %k : tensor<128x128xbf16>, tensor<64x128xbf16> -> tensor<128x64xf32>`

    After: `... -> tensor<128x64xf32, #tile.acc<mma_m16n8k16, warps = 4>>`
  }];
}

def DeferRowSums : Pass<"defer-row-sums", "::mlir::func::FuncOp"> {
  let summary = "Let each thread keep its part of a running row sum until after the loop";
  let description = [{
    A loop-carried value per row that is only multiplied by values of the row and added to by `tile.reduce add` need not
    be complete inside the loop: its parts scale alike. It becomes `partial`, and one conversion after the loop adds
    the parts up. This removes two shuffles per row and step.

    Before: `%l_n = tile.reduce add %p into %l_s : !scores, tensor<128xf32, #tile.slice<1 of #s>>`

    After: `... : !scores, tensor<128xf32, #tile.slice<1 of #s, partial = true>>`, and behind the loop
    `%l_all = tile.convert %l : ... -> tensor<128xf32, #tile.slice<1 of #s>>`
  }];
}

def TakeTurns : Pass<"take-turns", "::mlir::func::FuncOp"> {
  let summary = "Let computing warpgroups begin their products one after the other";
  let description = [{
    Where two products are begun in a step, warpgroups take turns with it (FlashAttention-3, section 3.1): while the
    products of one run, the others compute their softmax. Otherwise they would all wait for the matrix unit, and then
    leave it idle, at the same time. It does not matter which of the two products comes first. Done for two and more computing warpgroups and up to 128 columns of output, where
    softmax takes about as long as products.

    Before:
    ```
      %k = tile.await %k_ring[%n]
      %s = tile.dot_start %q, trans_b %k
      %v = tile.await %v_ring[%m]
      %o = tile.dot_start %p, %v into %acc
    ```
    After:
    ```
      %k = tile.await %k_ring[%n]
      tile.take_turn
      %s = tile.dot_start %q, trans_b %k
      %v = tile.await %v_ring[%m]
      %o = tile.dot_start %p, %v into %acc
      tile.pass_turn
    ```
  }];
  let dependentDialects = ["::attn::tile::TileDialect"];
}

def OverlapSteps : Pass<"overlap-steps", "::mlir::ModuleOp"> {
  let summary = "Let the programs of a later step begin before the step before has ended";
  let description = [{
    Without it the device is empty between two steps: the last programs of one run alone, and then the next is launched
    and computes its indices. A target that can begins programs of the next step while those of this one run, and what
    they need of it they wait for (`griddepcontrol`, programmatic dependent launch). Other targets are left as they are.

    Each step but the last says `tile.begin_next` at once. Programs of the next step come when all of this one have said
    so, hence when none of them is without a place any more: they get what is left of the multiprocessors and take
    nothing from a program that has yet to begin. To say it later, at the last tile or before the store, would only
    shorten the time that they have for what they do before they wait. They wait asleep.

    Each step but the first says `tile.await_previous` before the first operation that touches memory, except loads of
    integers that are arguments and nobody's result: no step writes such lists and lengths, and what ran before the
    kernel has ended, because the first step begins in the usual order. The wait is for the end of all programs of the step before, so that nothing is
    overwritten that one of them still reads. It stands in no branch: a program that ended without it would let the next
    step believe that all before is done.

    It looks at whole functions, so it comes when roles and loops are made; the wait then stands in front of all roles.

    Alternative: where a sequence has one share of keys, the first step could write the result itself. Then it would hold
    both endings, the merge would be launched all the same for the others, and what is saved is one read and one write of
    a result: less than the first tile of keys.

    Before:
    ```
    func.func @decode(...) attributes {...} {
      ...
    func.func @decode_merge(...) attributes {attn.step = 1, ...} {
      %block, %part, %batch = tile.program %blocks, %parts, %batches
      ...
      %o = tile.load %outputs[%row]
    ```
    After:
    ```
    func.func @decode(...) attributes {...} {
      tile.begin_next
      ...
    func.func @decode_merge(...) attributes {attn.step = 1, ...} {
      %block, %part, %batch = tile.program %blocks, %parts, %batches
      ...
      tile.await_previous
      %o = tile.load %outputs[%row]
    ```
  }];
  let dependentDialects = ["::attn::tile::TileDialect"];
}

def SplitLoops : Pass<"split-loops", "::mlir::func::FuncOp"> {
  let summary = "One loop for tiles that need their mask, one for tiles that need none";
  let description = [{
    A loop whose masks carry an `unless %t in [%a to %b]` clause becomes up to three loops in a row over the same tile
    numbers: before %a with the mask, from %a to %b without, from %b on with it. A part that is empty for every size is
    left out. Where masked tiles stand on both sides, as with a window, an outer loop of two rounds of (masked, full)
    serves all three parts with two bodies. Where lengths are data (`attn.lengths`) %a and %b are kept below %end, which
    they are by themselves only for a row that exists. Each loop is named by the attribute `tile.part`; the name becomes
    its label.

    In a loop over a list of tiles full ones stand anywhere: a loop around goes from run to run of (masked, full).

    It stands last among the passes on tiles, so that all others see one body.

    Before:
    ```
    scf.for %t = %first to %end step %c1 ... {
      %s = tile.mask %raw by [@causal] ... unless %t in [%first to %free] : ...
    ```
    After:
    ```
    scf.for %t = %first to %free_end step %c1 ... { ... } {tile.part = "full"}
    scf.for %t = %free_end to %end step %c1 ... {
      %s = tile.mask %raw by [@causal] ... : ...
    } {tile.part = "masked"}
    ```
  }];
}

def ConvertTileToGpu : Pass<"convert-tile-to-gpu", "::mlir::ModuleOp"> {
  let summary = "From tiles to threads: registers, shared memory, barriers and matrix instructions";
  let description = [{
    A tile in registers becomes as many scalars as a thread holds of it; an operation on tiles becomes one operation a
    scalar. Products become `ldmatrix` and `mma.sync`, fills 16-byte asynchronous copies, awaits a wait and a barrier.
    Score and mask functions are inlined: what depends on the head alone is computed once, what depends on the row once
    a row; where rows are the heads of a group, the head is part of the row. A mask that is affine is one comparison with a constant per element.

    Rows of a view with lists (pages, runs of pages, a row for each entry) are looked up as they are copied, by the
    threads that copy them: one load of the list a row and pass, or one a tile where whole tiles lie in a page. What
    does not exist is not looked up. Boxes of tensor maps do not copy such rows, nor those of packed or joined sequences:
    `choose-schedule` takes warps and their products for them on every target.

    Whether columns are in a list is found for all columns of a tile at once: a row of the list is entered by bisection
    and left at the end of the tile, and each entry sets the bits of its columns, one register to 32 of them.

    The function's arguments become what the kernel is launched with, listed in `attn.parameters` in the terms of the
    kernel file; `attn.grid`, `attn.block` and `attn.shared` say how it is launched.
  }];
}

def ConvertGpuToLlvm : Pass<"convert-gpu-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Control flow and scalars to the LLVM dialect";
  let description = [{
    The operations on scalars that kernels consist of are renamed one by one; upstream's patterns for `scf`, `cf`,
    `arith` and `math` convert what is left.

    Before: `%x = math.fma %s, %c, %shift : f32`

    After: `%x = llvm.intr.fma(%s, %c, %shift) : (f32, f32, f32) -> f32`
  }];
}

#endif
