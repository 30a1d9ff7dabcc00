// SPDX-License-Identifier: Apache-2.0
// What a wrapper says of a schedule's surroundings: programs, memory, and views of it. Included by Tile.td.
#ifndef ATTN_DIALECT_TILE_VIEWS
#define ATTN_DIALECT_TILE_VIEWS

//===-- what a wrapper uses ------------------------------------------------===//

def Tile_ProgramOp : Tile_Op<"program", [Pure]> {
  let summary = "Coordinates of this program in the launch grid";
  let description = [{
    The grid has one program for each point of the box `extents`; the first coordinate varies fastest. The launcher
    evaluates the extents from the sizes of the arguments.

    ```mlir
    func.func @kernel(%blocks: index, %heads: index, %batches: index) {
      %block, %head, %batch = tile.program %blocks, %heads, %batches
      return
    }
    ```
  }];
  let arguments = (ins Variadic<Index>:$extents);
  let results = (outs Variadic<Index>:$ids);
  let hasCustomAssemblyFormat = 1;
}

def Tile_WorkerOp : Tile_Op<"worker", [Pure]> {
  let summary = "Number of this program among those that share out `items` pieces of work";
  let description = [{
    The launch starts one program on each multiprocessor of the device, and not more than there are items. This one is
    number `number` of `count`, counted from 0; it takes the items number, number + count, and so on.

    ```mlir
    func.func @kernel(%items: index) {
      %number, %count = tile.worker %items
      scf.for %item = %number to %items step %count {
      }
      return
    }
    ```
  }];
  let arguments = (ins Index:$items);
  let results = (outs Index:$number, Index:$count);
  let assemblyFormat = "$items attr-dict";
}

def Tile_LeaveOp : Tile_Op<"leave", [HasParent<"::mlir::func::FuncOp">]> {
  let summary = "End this program here, if a condition says that nothing is left to do";
  let description = [{
    The condition is the same in all threads of a program, and no copy is on its way: the operation stands before the
    first load. A grid is as large as shapes ask for; what lengths leave without work is found out here.

    ```mlir
    func.func @kernel(%from: index, %to: index) {
      %none = arith.cmpi sge, %from, %to : index
      tile.leave if %none
      return
    }
    ```
  }];
  let arguments = (ins I1:$condition);
  let assemblyFormat = "`if` $condition attr-dict";
}

def Tile_ViewOp : Tile_Op<"view", [Pure, AttrSizedOperandSegments]> {
  let summary = "Rows of one sequence and head";
  let description = [{
    Row r is token t of the sequence, seen by one head: without more, t = r and the row is `base[b, t, h, :]`, or the
    single element `base[b, t, h]`. `length` rows exist. All quantities are counted in rows but where tokens are named.

    What else can be said of where a row lies, and of what it is called:

    - `packed G`: neighbouring rows are the G heads of a group, so that few tokens fill a tile: row r is token r div G,
      seen by head h * G + r mod G. Position and index belong to the token.
    - `rows %row_of`: entry t lies where that of sequence `row_of[b, t]` does: this number stands in b's place below.
    - `starts %starts`: sequences lie one behind the other, and the base has no batch: `base[starts[b] + t, h, :]`.
    - `through %table`: entries lie in pages, P to a page, where P is the second dimension of the base:
      `base[table[b, t div P], t mod P, h, :]`. A table of rank 3 has runs of pages (first page, number of pages), which
      stand for the pages of all runs one behind the other.
    - `part %s`: the base is a stack of such tensors, of which this is one: `base[s, b, t, h, :]`.
    - `alone`: the base has no batch: `base[t, h, :]`.
    - `index %i`: token 0 has index i in its sequence, which begins elsewhere; 0 without it.
    - `position %p`: token t stands at position p + t; at its index without it.
    - `positions %list`: token t stands at `list[b, t]`, or at `list[starts[b] + t]` in a list of rank 1. A list of
      another sequence than the one that memory is read from says so: with `positions %list[%c]` it is `list[c, t]`.

    Errors: the base must have rank 4, or rank 3 for a view of one column, one less with `starts` or `alone` and one more
    with `part`, which two belong to rows a stride apart; its last dimension must be the view's columns and its element
    type the view's. Lists hold integers: starts of rank 1, rows of rank 2,
    positions of rank 2, or of rank 1 with starts, a table of rank 2, or 3 with a last dimension of 2. A base in pages has a
    static page size, and no starts.

    ```mlir
    func.func @rows(%q: memref<?x?x32x128xbf16, strided<[?, ?, ?, 1]>>, %b: index, %h: index, %n: index, %p: index) {
      %query = tile.view %q[%b, %h] length %n position %p : memref<?x?x32x128xbf16, strided<[?, ?, ?, 1]>> -> !tile.view<128 x bf16>
      %group = tile.view %q[%b, %h] length %n packed 4 position %p : memref<?x?x32x128xbf16, strided<[?, ?, ?, 1]>> -> !tile.view<128 x bf16>
      return
    }
    func.func @parts(%o: memref<?x?x8x64xbf16, strided<[?, ?, ?, 1]>>, %s: index, %h: index, %n: index) {
      %packed_batch = tile.view %o[%h, %h] length %n part %s alone : memref<?x?x8x64xbf16, strided<[?, ?, ?, 1]>> -> !tile.view<64 x bf16>
      return
    }
    func.func @pages(%pool: memref<?x16x8x128xbf16, strided<[?, ?, ?, 1]>>, %table: memref<?x?xi32>, %b: index, %h: index, %n: index) {
      %keys = tile.view %pool[%b, %h] length %n through %table : memref<?x16x8x128xbf16, strided<[?, ?, ?, 1]>> through memref<?x?xi32> -> !tile.view<128 x bf16>
      return
    }
    ```
  }];
  let arguments = (ins AnyMemRef:$base, Index:$batch, Index:$head, Index:$length,
                       DefaultValuedAttr<I64Attr, "1">:$packed, Optional<Index>:$part, UnitAttr:$alone,
                       Optional<Index>:$index, Optional<Index>:$position, Optional<AnyMemRef>:$positions,
                       Optional<Index>:$positions_batch, Optional<AnyMemRef>:$row_of,
                       Optional<AnyMemRef>:$starts, Optional<AnyMemRef>:$table);
  let results = (outs Tile_View:$view);
  let assemblyFormat = [{
    $base `[` $batch `,` $head `]` `length` $length (`packed` $packed^)? (`part` $part^)?
    (`alone` $alone^)? (`index` $index^)? (`position` $position^)?
    (`positions` $positions^ (`[` $positions_batch^ `]`)?)? (`rows` $row_of^)? (`starts` $starts^)?
    (`through` $table^)? attr-dict
    `:` type($base) (`positions` type($positions)^)? (`rows` type($row_of)^)? (`starts` type($starts)^)?
    (`through` type($table)^)? `->` type($view)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Whether neighbouring tokens are a fixed stride apart, in the tensor's own second dimension.
    bool isStrided() { return !getRowOf() && !getStarts() && !getTable(); }

    /// Dimensions of the base in front of the rows': those of a stack, of the batch or of pages.
    int64_t outerDims() { return (getPart() ? 1 : 0) + (getStarts() || getAlone() ? 0 : 1); }
  }];
}

def Tile_GatherOp : Tile_Op<"gather", [Pure, AllTypesMatch<["view", "some"]>]> {
  let summary = "The rows of a view whose positions are listed";
  let description = [{
    Row r is the row of the view that stands at position `list[row..., first + r]`, and keeps that position. `length`
    rows exist. Of a position where the view has no row, another row of it is taken.

    Errors: a view of tokens with a position of its own or none, but no list of them; a list of integers with an index
    for each dimension but the last.

    ```mlir
    func.func @stripes(%keys: !tile.view<128 x bf16>, %columns: memref<?x?x?xi32>, %b: index, %h: index, %first: index, %n: index) -> index {
      %some = tile.gather %keys at %columns[%b, %h] from %first length %n : !tile.view<128 x bf16>, memref<?x?x?xi32>
      %rows = tile.extent %some : !tile.view<128 x bf16>
      return %rows : index
    }
    ```
  }];
  let arguments = (ins Tile_View:$view, AnyMemRef:$list, Variadic<Index>:$row, Index:$first, Index:$length);
  let results = (outs Tile_View:$some);
  let assemblyFormat = [{
    $view `at` $list (`[` $row^ `]`)? `from` $first `length` $length attr-dict `:` type($view) `,` type($list)
  }];
  let hasVerifier = 1;
}

def Tile_AbsentOp : Tile_Op<"absent", [Pure]> {
  let summary = "A view of nothing: a result that nobody asked for";
  let description = [{
    A store to it disappears.

    ```mlir
    func.func @no_lse(%l: tensor<128xf32>, %row: index) {
      %lse = tile.absent : !tile.view<1 x f32>
      tile.store %l, %lse[%row] : tensor<128xf32>, !tile.view<1 x f32>
      return
    }
    ```
  }];
  let results = (outs Tile_View:$view);
  let assemblyFormat = "attr-dict `:` type($view)";
}

def Tile_WorkspaceOp : Tile_Op<"workspace", [Pure]> {
  let summary = "Memory that the caller lends for one launch";
  let description = [{
    A contiguous tensor that begins `offset` bytes behind the start of the workspace; `sizes` gives its dynamic
    dimensions. It holds anything until it is written. The launcher evaluates offset and sizes from the sizes of the
    arguments, so that the bytes that a launch needs can be asked before it.

    Errors: one size for each dynamic dimension; no layout but the contiguous one.

    ```mlir
    func.func @partial(%parts: index, %rows: index) {
      %begin = arith.constant 0 : index
      %outputs = tile.workspace[%begin] sizes %parts, %rows : memref<?x?x8x128xf32>
      return
    }
    ```
  }];
  let arguments = (ins Index:$offset, Variadic<Index>:$sizes);
  let results = (outs AnyMemRef:$memory);
  let assemblyFormat = "`[` $offset `]` (`sizes` $sizes^)? attr-dict `:` type($memory)";
  let hasVerifier = 1;
}

def Tile_ColumnsOp : Tile_Op<"columns", [Pure]> {
  let summary = "Some neighbouring columns of a view";
  let description = [{
    As many as the result's type says, from column `first` on. `first` must be a multiple of that number.

    Errors: the columns must divide those of the view, in multiples of 8; the elements must be the view's.

    ```mlir
    func.func @quarter(%out: !tile.view<128 x f32>, %first: index) {
      %some = tile.columns %out[%first] : !tile.view<128 x f32> -> !tile.view<32 x f32>
      return
    }
    ```
  }];
  let arguments = (ins Tile_View:$view, Index:$first);
  let results = (outs Tile_View:$some);
  let assemblyFormat = "$view `[` $first `]` attr-dict `:` type($view) `->` type($some)";
  let hasVerifier = 1;
}

#endif
