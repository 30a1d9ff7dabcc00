// SPDX-License-Identifier: Apache-2.0
// The passes, in the order in which the compiler runs them.
#ifndef ATTN_PASSES
#define ATTN_PASSES

include "mlir/Pass/PassBase.td"

include "passes/SpecPasses.td"

def ExpandSources : Pass<"expand-sources", "::mlir::func::FuncOp"> {
  let summary = "One walk for each of several sequences that are walked as one";
  let description = [{
    A walk over a `tile.concat` becomes a walk over each of its parts, in order; each begins with what the one before
    ended with, so there is one softmax over all of them. In the body, the keys' parts take the place of the keys and the
    values' parts that of the values. Indices and positions are the parts' own and go on from part to part.

    The range of a walk counts each part from the next multiple of the walk's step on, so no tile has rows of two parts.
    Where it is not all there is, as in a share of the keys, each walk takes what lies between of its part: from
    max(from - begin, 0) up to min(max(to - begin, 0), length). A range that begins with a tile begins with a tile of the
    part as well, because begins are multiples of the step; two neighbouring ranges then have no tile in common, and
    each visible pair is visited once. To linearise rows instead would cut tiles of a part in two wherever the length of
    an earlier part is not a multiple of the step.

    The loops that follow are drained one by one: their loads are different code. That is one bubble for each part.

    Refuses keys and values of different numbers of parts.

    Before:
    ```
    %keys = tile.concat %past, %new : !view, !view -> !view
    %n = tile.extent %keys : !view
    %r = tile.walk %col in %keys[%zero to %n] step 64 iter_args(%a = %init) : !view -> (!acc) {
      %k = tile.load %keys[%col] : !view -> !k
      ...
    ```
    After:
    ```
    %r_past = tile.walk %col in %past[%zero to %n_past] step 64 iter_args(%a = %init) : !view -> (!acc) {
      %k = tile.load %past[%col] : !view -> !k
      ...
    }
    %r = tile.walk %col in %new[%zero to %n_new] step 64 iter_args(%a = %r_past) : !view -> (!acc) {
      %k = tile.load %new[%col] : !view -> !k
      ...
    ```
  }];
  let dependentDialects = ["::attn::tile::TileDialect", "::mlir::arith::ArithDialect"];
}

def GatherColumns : Pass<"gather-columns", "::mlir::ModuleOp"> {
  let summary = "Walk the keys that a list names as rows of their own";
  let description = [{
    A mask that shows keys whose positions are in a list shows a few here and there: hardly a tile is without one, and
    all would be copied whole. In functions with `tile.gather` such a walk becomes two. The first visits the keys that
    are visible without the list; where there are none, trim-walks leaves nothing of it. The second visits the entries of
    the list, 64 to a tile say, whose rows are copied one by one (`tile.gather`), and shows those that the first one has
    not shown: a key that a window covers as well counts once. Both go on with one softmax.

    The function of the mask is written twice for that: with false in the place of the question, and with true. Either
    the second does not show what the first one has shown, or, where the first one asks other lists as well (slashes,
    which of a column whose position is looked up would have to be searched for each pair), the first does not show
    listed columns. A mask only grows with the list, so that nothing is visible in neither. Of the list those entries
    are visited that lie in the range of the walk, found by bisection: shares of the keys and parts of joined sequences
    have their entries.

    It is done for a list of numbers that is the same for all rows of a tile, asked about the position of the key itself
    and not about its opposite, over a view that says by one number where positions lie, and where no function asks for
    the number of the column. Other lists are left to trim-walks, which lists tiles.

    Alternative: to list tiles and mask them. It copies and computes a whole tile for each key that is alone in it. Rows
    that lie anywhere are not copied by boxes, so that a target with them computes with `mma.sync` here.

    Before:
    ```
    %r = tile.walk %col in %keys[%zero to %n] step 64 iter_args(%a = %init) : !view -> (!acc) {
      %k = tile.load %keys[%col] : !view -> !k
      ...
      %s = tile.mask %raw by [@visible, @in_bounds] (%columns, %most : ...) rows %query[%row] cols %keys[%col] : ...
    ```
    After:
    ```
    %near = tile.walk %col in %keys[%zero to %n] step 64 iter_args(%a = %init) : !view -> (!acc) {
      %k = tile.load %keys[%col] : !view -> !k
      ...
      %s = tile.mask %raw by [@visible_unlisted, @in_bounds] (...) rows %query[%row] cols %keys[%col] : ...
    }
    %first = tile.place of %zero in %columns[%b] from %zero to %most : memref<?x?xi32>
    ...
    %some = tile.gather %keys at %columns[%b] from %first length %count : !view, memref<?x?xi32>
    %r = tile.walk %col in %some[%zero to %count] step 64 iter_args(%a = %near) : !view -> (!acc) {
      %k = tile.load %some[%col] : !view -> !k
      ...
      %s = tile.mask %raw by [@visible_listed, @in_bounds] (...) rows %query[%row] cols %some[%col] : ...
    ```
  }];
  let dependentDialects = ["::attn::tile::TileDialect", "::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect"];
}

def TrimWalks : Pass<"trim-walks", "::mlir::ModuleOp"> {
  let summary = "Turn walks into loops over the tiles that masks admit, and say which tiles need no mask";
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
  let description = [{
    Reads each conjunct of the mask in the walk's body as a tree of affine comparisons of positions. For the rows of
    this program, a comparison holds everywhere up to some tile and nowhere after another (or the other way round).
    Tiles where the whole mask holds nowhere are not visited; the tiles between two bounds where it holds everywhere
    are named in the mask's `unless` clause. A conjunct that another implies is dropped. What is not affine is masked in
    every tile that the rest admits, and the pass says so in a remark. Where rows are the heads of a group, all this is
    about the tokens that stand in them; a comparison that differs from head to head says nothing of tiles.

    The loop runs over tile numbers; the column of a tile is a pure function of its number.

    Where a mask asks lists (`tile.member`), or shows several ranges of columns (the first tokens and a window, where
    `tile.lists` says that shared memory has room), one range of tiles would hold too many. The program then makes a list of the
    tiles in the range (`tile.collect`), before anything else: each entry of a list gives the number that is asked for,
    and with it one more inequality, from which the columns follow as above; gaps between entries do so for what is not
    in a list. Threads share out entries, or, where each row has a list of its own, rows. What is visible says which
    tiles the list has, what is hidden which of them are masked; so the size of blocks in a list need not fit that of
    tiles. The loop runs over places in the list, in ascending order. Programs differ in their work then, so a grid has
    one for each block of rows (`tile.distribution` is gone).

    Alternatives: lists of tiles made by a kernel before, or by the user, as others have them. Both say the same thing
    twice, and both cost memory of the size of a mask; here it is 2 KB on chip, made in the time of about one tile.

    After, with `@listed` for `@causal`:
    ```
    %list = tile.collect %first to %end most 1024 {
      tile.each %i in [%from_entry to %to_entry] {
        %entry = memref.load %columns[%b, %h, %i] : memref<?x?x?xi32>
        ...
        tile.mark visible %t to %next
      }
      ... gaps: tile.mark hidden
    }
    %n = tile.count %list
    %r = scf.for %place = %zero to %n step %c1 iter_args(%a = %init) -> (!acc) {
      %t = tile.entry %list[%place]
      %col = arith.muli %t, %c64 : index
      ...
      %s = tile.mask %raw by [@listed] rows %query[%row] cols %keys[%col] unless %place full in %list : ...
    ```

    Before:
    ```
    %r = tile.walk %col in %keys[%from to %to] step 64 iter_args(%a = %init) : !view -> (!acc) {
      ...
      %s = tile.mask %raw by [@causal, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    ```
    After, for rows that begin at position %pos:
    ```
    %free = (%pos + 1) floordiv 64
    %end = min(%to, %pos + 128) ceildiv 64
    %r = scf.for %t = %first to %end step %c1 iter_args(%a = %init) -> (!acc) {
      %col = arith.muli %t, %c64 : index
      ...
      %s = tile.mask %raw by [@causal] rows %query[%row] cols %keys[%col] unless %t in [%first to %free] : ...
    ```
  }];
}

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
