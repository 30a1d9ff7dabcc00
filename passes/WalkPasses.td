// SPDX-License-Identifier: Apache-2.0
// The passes that make loops of walks: which sequences and which tiles are visited, by what their masks say. Part of
// Passes.td.
#ifndef ATTN_PASSES_WALK_PASSES
#define ATTN_PASSES_WALK_PASSES

include "mlir/Pass/PassBase.td"

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

    A value that is loaded for each row (`start[b, row] <= kv`) takes its place by the least and the greatest value of
    the tile's rows (`tile.extremes`), of which a program finds both before it begins. Values that do not fall along the
    columns (`tile.sorted`, from `attn.sorted` of the spec) are searched for the first that exceeds what a row compares
    them with (`tile.first_above`): documents that lie one behind the other are intervals of columns then.

    A remainder (`(q - kv) rem 4 == 0`) is a property of each tile by itself: its rows and columns leave an interval of
    numbers, and whether one of it has the residue is a closed form. Where a whole tile always has one, nothing is done;
    else the program lists its tiles, as below.

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

#endif
