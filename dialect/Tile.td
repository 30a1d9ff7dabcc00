// SPDX-License-Identifier: Apache-2.0
// The tile dialect: a schedule in tiles, before and after the passes that make it fast.
#ifndef ATTN_DIALECT_TILE
#define ATTN_DIALECT_TILE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::attn::tile";
  let summary = "Schedules: loops over tiles of queries and keys";
  let description = [{
    A value is a builtin tensor, the tile. Without an encoding it says only what is computed; with one of this
    dialect's encodings it says which thread holds which element, or where an element lies in shared memory. Because
    tiles are builtin tensors, `arith` and `math` apply to them unchanged.

    Global memory is seen through views. A view answers for row r: where it lies, which index and position it has, and
    whether it exists. Rows that do not exist read as zero and are not written, so no schedule has a bounds check.

    An asynchronous copy is a numbered fill of a ring of buffers. There is no barrier, no stage and no phase in the
    IR: the lowering derives them from `fill`, `await` and `release`.

    Left out on purpose: `barrier` (it is how `await` is lowered), `alloc` (a ring allocates), `softmax` (the loop
    shows it), `iota` (coordinates come from views).
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

class Tile_Op<string mnemonic, list<Trait> traits = []> : Op<Tile_Dialect, mnemonic, traits>;
class Tile_Type<string name, string typeMnemonic> : TypeDef<Tile_Dialect, name> { let mnemonic = typeMnemonic; }
class Tile_Attr<string name, string attrMnemonic> : AttrDef<Tile_Dialect, name> { let mnemonic = attrMnemonic; }

//===-- types --------------------------------------------------------------===//

def Tile_View : Tile_Type<"View", "view"> {
  let summary = "A sequence of rows in global memory, of `columns` elements each";
  let parameters = (ins "int64_t":$columns, "::mlir::Type":$element);
  let assemblyFormat = "`<` $columns `x` $element `>`";
}
def Tile_Ring : Tile_Type<"Ring", "ring"> {
  let summary = "A ring of `stages` buffers in shared memory, each for one tile";
  let parameters = (ins "int64_t":$stages, "::mlir::RankedTensorType":$tile);
  let assemblyFormat = "`<` $stages `x` $tile `>`";
}
def Tile_Pending : Tile_Type<"Pending", "pending"> {
  let summary = "A matrix product that is being computed; only a wait makes a tile of it";
  let parameters = (ins "::mlir::RankedTensorType":$tile);
  let assemblyFormat = "`<` $tile `>`";
}

//===-- encodings ----------------------------------------------------------===//

def Tile_AtomEnum : I32EnumAttr<"Atom", "the matrix instruction a layout belongs to", [
    I32EnumAttrCase<"mma_m16n8k16", 0>, I32EnumAttrCase<"wgmma_m64k16", 1>]> {
  let cppNamespace = "::attn::tile";
  let genSpecializedAttr = 0;
}
def Tile_AtomParam : EnumParameter<Tile_AtomEnum>;

def Tile_AccAttr : Tile_Attr<"Acc", "acc"> {
  let summary = "Accumulator of a matrix product";
  let description = [{
    Warps stand one below the other, `warps` of them; each holds rows / warps consecutive rows and all columns. Inside
    a warp the tile is cut into atoms of 16 rows and 8 columns, rows of atoms outermost. For `mma_m16n8k16`, lane
    l = 4 g + c holds of each atom the elements (g, 2c), (g, 2c + 1), (g + 8, 2c), (g + 8, 2c + 1), in this order.
    Tiles of 16-bit elements hold two neighbouring columns in one register.

    `wgmma_m64k16` is the same map: four warps of a warpgroup hold 64 rows, 16 each, and its accumulator goes through the
    columns eight at a time in this very order.
  }];
  let parameters = (ins Tile_AtomParam:$atom, "int64_t":$warps);
  let assemblyFormat = "`<` $atom `,` `warps` `=` $warps `>`";
}
def Tile_OperandAttr : Tile_Attr<"Operand", "operand"> {
  let summary = "Register operand A (0) of the product whose accumulator is `of`";
  let description = [{
    The registers of the accumulator's atoms 2j and 2j + 1 of a row of atoms, in their order, are operand A of step j,
    with either instruction: a conversion from the accumulator renames registers and computes nothing.
  }];
  let parameters = (ins "int64_t":$index, "::attn::tile::AccAttr":$of);
  let assemblyFormat = "`<` $index `of` $of `>`";
}
def Tile_SliceAttr : Tile_Attr<"Slice", "slice"> {
  let summary = "One value per row (dim 1 removed) of an accumulator, replicated over the threads that share the row";
  let description = [{
    With `partial` each of the threads that share a row holds a part, and the value of the row is the sum of the parts.
  }];
  let parameters = (ins "int64_t":$dim, "::attn::tile::AccAttr":$of, DefaultValuedParameter<"bool", "false">:$partial);
  let assemblyFormat = "`<` $dim `of` $of (`,` `partial` `=` $partial^)? `>`";
}
def Tile_SharedAttr : Tile_Attr<"Shared", "shared"> {
  let summary = "In shared memory, as slabs of `slab` columns whose rows are `swizzle` bytes";
  let description = [{
    A row of a slab is `swizzle` = 128, 64 or 32 bytes. Chunks of 16 bytes are permuted: on the byte address a within
    a tile that is aligned to eight rows, bits 4.. are xored with bits 7.. (three, two or one of them), which is what
    the hardware calls the 128-, 64- and 32-byte swizzle. Eight rows of one column of chunks then lie in eight
    different groups of banks.
  }];
  let parameters = (ins "int64_t":$swizzle, "int64_t":$slab);
  let assemblyFormat = "`<` `swizzle` `=` $swizzle `,` `slab` `=` $slab `>`";
}

include "dialect/TileViews.td"
include "dialect/TileLists.td"

//===-- what a schedule uses -----------------------------------------------===//

def Tile_WalkOp : Tile_Op<"walk", [SingleBlock, RecursiveMemoryEffects]> {
  let summary = "Visit every tile of a range that a mask in the body may admit";
  let description = [{
    `%col` runs over multiples of `step` that cover the rows `from` to `to` of the view, ascending. The only promise is
    that each visible pair of a row and a key is visited exactly once; which tiles are skipped, and which need their
    masks, is for `trim-walks` to find out.

    In joined sequences no tile has rows of two parts: each part begins at the next multiple of `step`, and `from` and
    `to` count so. The view's extent in the place of `to` is the end of the last part.

    Errors: as many results as inits, with their types.

    ```mlir
    func.func @count(%keys: !tile.view<128 x bf16>, %from: index, %to: index, %zero: index, %one: index) -> index {
      %n = tile.walk %col in %keys[%from to %to] step 64 iter_args(%i = %zero) : !tile.view<128 x bf16> -> (index) {
        %next = arith.addi %i, %one : index
        tile.yield %next : index
      }
      return %n : index
    }
    ```
  }];
  let arguments = (ins Tile_View:$view, Index:$from, Index:$to, I64Attr:$step, Variadic<AnyType>:$inits);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Tile_YieldOp : Tile_Op<"yield", [Pure, Terminator, ReturnLike, HasParent<"WalkOp">]> {
  let summary = "End of a walk's body: the values of the next step";
  let description = [{
    See `tile.walk`.
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

def Tile_ExtentOp : Tile_Op<"extent", [Pure]> {
  let summary = "The number of rows that exist";
  let description = [{
    ```mlir
    func.func @rows(%keys: !tile.view<128 x bf16>) -> index {
      %n = tile.extent %keys : !tile.view<128 x bf16>
      return %n : index
    }
    ```
  }];
  let arguments = (ins Tile_View:$view);
  let results = (outs Index:$length);
  let assemblyFormat = "$view attr-dict `:` type($view)";
}

def Tile_LoadOp : Tile_Op<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "Rows of a view as a tile";
  let description = [{
    Rows that do not exist, and columns of the tile beyond the view's, are zero; what is read in one value for each row is
    `otherwise` where no row exists.

    ```mlir
    func.func @load(%keys: !tile.view<128 x bf16>, %col: index) -> tensor<64x128xbf16> {
      %k = tile.load %keys[%col] : !tile.view<128 x bf16> -> tensor<64x128xbf16>
      return %k : tensor<64x128xbf16>
    }
    func.func @maxima(%m: !tile.view<1 x f32>, %row: index) -> tensor<16xf32> {
      %t = tile.load %m[%row] otherwise -1.0 : !tile.view<1 x f32> -> tensor<16xf32>
      return %t : tensor<16xf32>
    }
    ```
  }];
  let arguments = (ins Tile_View:$view, Index:$at, DefaultValuedAttr<F32Attr, "0.0f">:$otherwise);
  let results = (outs AnyRankedTensor:$tile);
  let assemblyFormat = "$view `[` $at `]` (`otherwise` $otherwise^)? attr-dict `:` type($view) `->` type($tile)";
}

def Tile_StoreOp : Tile_Op<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "Write the rows of a tile that exist in the view";
  let description = [{
    Elements are rounded once to the view's type. Columns beyond the view's are dropped. `via` names a ring whose buffer
    the tile passes through on its way, so that a copy by boxes writes whole rows. The buffer of a ring that fills also
    go through must not be read any more, and is free afterwards; one of the store's own is read until the next store.

    ```mlir
    func.func @store(%o: tensor<128x128xf32>, %out: !tile.view<128 x bf16>, %row: index) {
      tile.store %o, %out[%row] : tensor<128x128xf32>, !tile.view<128 x bf16>
      return
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$tile, Tile_View:$view, Index:$at, Optional<Tile_Ring>:$via);
  let assemblyFormat = [{
    $tile `,` $view `[` $at `]` (`via` $via^ `:` type($via) `,`) : (`:`)? type($tile) `,` type($view) attr-dict
  }];
  let hasCanonicalizeMethod = 1;
}

def Tile_DotOp : Tile_Op<"dot", [Pure]> {
  let summary = "Matrix product, accumulated in f32";
  let description = [{
    result = acc + lhs * rhs, with zero for an absent accumulator; with `trans_b` the rows of `rhs` are the columns of
    the product.

    Errors: the shapes must fit, the operands must have one 16-bit floating-point type, the result must be f32.

    ```mlir
    func.func @scores(%q: tensor<128x128xbf16>, %k: tensor<64x128xbf16>) -> tensor<128x64xf32> {
      %s = tile.dot %q, trans_b %k : tensor<128x128xbf16>, tensor<64x128xbf16> -> tensor<128x64xf32>
      return %s : tensor<128x64xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$lhs, AnyRankedTensor:$rhs, Optional<AnyRankedTensor>:$acc, UnitAttr:$trans_b);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $lhs `,` (`trans_b` $trans_b^)? $rhs (`into` $acc^ `:` type($acc) `,`) : (`:`)? type($lhs) `,` type($rhs) attr-dict `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_KindEnum : I32EnumAttr<"Reduction", "", [I32EnumAttrCase<"max", 0>, I32EnumAttrCase<"add", 1>]> {
  let cppNamespace = "::attn::tile";
}
def Tile_ReduceOp : Tile_Op<"reduce", [Pure, AllTypesMatch<["init", "result"]>]> {
  let summary = "Maximum or sum over the columns of each row, together with an initial value";
  let description = [{
    ```mlir
    func.func @row_max(%s: tensor<128x64xf32>, %m: tensor<128xf32>) -> tensor<128xf32> {
      %n = tile.reduce max %s into %m : tensor<128x64xf32>, tensor<128xf32>
      return %n : tensor<128xf32>
    }
    ```
  }];
  let arguments = (ins Tile_KindEnum:$kind, AnyRankedTensor:$tile, AnyRankedTensor:$init);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $tile `into` $init attr-dict `:` type($tile) `,` type($init)";
}

def Tile_BroadcastOp : Tile_Op<"broadcast", [Pure]> {
  let summary = "One value per row, repeated in every column";
  let description = [{
    ```mlir
    func.func @spread(%m: tensor<128xf32>) -> tensor<128x64xf32> {
      %b = tile.broadcast %m : tensor<128xf32> -> tensor<128x64xf32>
      return %b : tensor<128x64xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$vector);
  let results = (outs AnyRankedTensor:$tile);
  let assemblyFormat = "$vector attr-dict `:` type($vector) `->` type($tile)";
}

def Tile_ApplyOp : Tile_Op<"apply", [Pure, AttrSizedOperandSegments, AllTypesMatch<["tile", "result"]>]> {
  let summary = "A score function on each element, with its coordinates";
  let description = [{
    f(element, b, h, row, column, q, kv, params...): row and column are indices within the sequences, q and kv their
    positions. Without `cols` it is a function of the row alone: f(element, b, h, row, q, params...).

    ```mlir
    func.func private @score(f32, index, index, index, index, index, index, f32) -> f32
    func.func @cap(%s: tensor<128x64xf32>, %query: !tile.view<128 x bf16>, %row: index, %keys: !tile.view<128 x bf16>, %col: index, %c: f32) -> tensor<128x64xf32> {
      %t = tile.apply @score(%c : f32) to %s rows %query[%row] cols %keys[%col] : tensor<128x64xf32> rows !tile.view<128 x bf16> cols !tile.view<128 x bf16>
      return %t : tensor<128x64xf32>
    }
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Variadic<AnyType>:$params, AnyRankedTensor:$tile,
                       Tile_View:$rows, Index:$row, Optional<Tile_View>:$cols, Optional<Index>:$col);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $callee (`(` $params^ `:` type($params) `)`)? `to` $tile `rows` $rows `[` $row `]` (`cols` $cols^ `[` $col `]`)?
    attr-dict `:` type($tile) `rows` type($rows) (`cols` type($cols)^)?
  }];
}

def Tile_MaskOp : Tile_Op<"mask", [Pure, AttrSizedOperandSegments, AllTypesMatch<["tile", "result"]>]> {
  let summary = "Hide what one of several functions does not admit: -inf takes its place";
  let description = [{
    `by` lists conjuncts f(b, h, row, column, q, kv, params...) -> i1; `params` holds those of all functions, one after
    another. The function `@in_bounds` is known to the dialect: the column exists.

    After `trim-walks` the mask may name the tiles that need none of it: `unless %t in [%a to %b]`, where %a <= %t < %b.
    Both lie between the bounds of the loop over %t, %a not behind %b. In a loop over a list of tiles these are the full
    ones: `unless %n full in %list` for the place %n.

    ```mlir
    func.func private @visible(index, index, index, index, index, index) -> i1
    func.func private @in_bounds(index, index, index, index, index, index) -> i1
    func.func @hide(%s: tensor<128x64xf32>, %query: !tile.view<128 x bf16>, %row: index, %keys: !tile.view<128 x bf16>, %col: index, %t: index, %a: index, %b: index) -> tensor<128x64xf32> {
      %m = tile.mask %s by [@visible, @in_bounds] rows %query[%row] cols %keys[%col] unless %t in [%a to %b] : tensor<128x64xf32>, !tile.view<128 x bf16>, !tile.view<128 x bf16>
      return %m : tensor<128x64xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$tile, ArrayAttr:$by, Variadic<AnyType>:$params, Tile_View:$rows, Index:$row,
                       Tile_View:$cols, Index:$col, Optional<Index>:$number, Optional<Index>:$free_from, Optional<Index>:$free_to,
                       Optional<Tile_List>:$list);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $tile `by` $by (`(` $params^ `:` type($params) `)`)? `rows` $rows `[` $row `]` `cols` $cols `[` $col `]`
    (`unless` $number^ (`in` `[` $free_from^ `to` $free_to `]`)? (`full` `in` $list^)?)? attr-dict `:` type($tile) `,` type($rows) `,` type($cols)
  }];
}

//===-- what passes add ----------------------------------------------------===//

def Tile_RingOp : Tile_Op<"ring", [MemoryEffects<[MemAlloc]>]> {
  let summary = "Buffers in shared memory that are filled and read in turn";
  let description = [{
    ```mlir
    func.func @ring() {
      %k_ring = tile.ring : !tile.ring<2 x tensor<64x128xbf16>>
      return
    }
    ```
  }];
  let results = (outs Tile_Ring:$ring);
  let assemblyFormat = "attr-dict `:` type($ring)";
}

def Tile_FillOp : Tile_Op<"fill", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Begin fill number n of a ring from rows of a view";
  let description = [{
    Buffer n mod stages. The copy is asynchronous; rows that do not exist become zero. Fills of one ring have strictly
    increasing numbers.

    ```mlir
    func.func @fill(%ring: !tile.ring<2 x tensor<64x128xbf16>>, %n: index, %keys: !tile.view<128 x bf16>, %col: index, %more: i1) {
      tile.fill %ring[%n] from %keys[%col] when %more : !tile.ring<2 x tensor<64x128xbf16>>, !tile.view<128 x bf16>
      return
    }
    ```
  }];
  let arguments = (ins Tile_Ring:$ring, Index:$number, Tile_View:$view, Index:$at, Optional<I1>:$when);
  let assemblyFormat = [{
    $ring `[` $number `]` `from` $view `[` $at `]` (`when` $when^)? attr-dict `:` type($ring) `,` type($view)
  }];
}

def Tile_AwaitOp : Tile_Op<"await", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Wait until fill number n has landed, and read it";
  let description = [{
    The tile stays valid until `release` of the same number. `leaving` is the number of younger fills that may still
    run: fills complete in the order in which they were begun.

    ```mlir
    func.func @await(%ring: !tile.ring<2 x tensor<64x128xbf16>>, %n: index) {
      %k = tile.await %ring[%n] leaving 1 : !tile.ring<2 x tensor<64x128xbf16>> -> tensor<64x128xbf16>
      tile.release %ring[%n] : !tile.ring<2 x tensor<64x128xbf16>>
      return
    }
    ```
  }];
  let arguments = (ins Tile_Ring:$ring, Index:$number, DefaultValuedAttr<I64Attr, "0">:$leaving);
  let results = (outs AnyRankedTensor:$tile);
  let assemblyFormat = "$ring `[` $number `]` (`leaving` $leaving^)? attr-dict `:` type($ring) `->` type($tile)";
}

def Tile_ReleaseOp : Tile_Op<"release", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Fill number n is no longer read";
  let description = [{
    See `tile.await`.
  }];
  let arguments = (ins Tile_Ring:$ring, Index:$number);
  let assemblyFormat = "$ring `[` $number `]` attr-dict `:` type($ring)";
}

def Tile_ConvertOp : Tile_Op<"convert", [Pure]> {
  let summary = "The same elements in another layout";
  let description = [{
    ```mlir
    #s = #tile.acc<mma_m16n8k16, warps = 4>
    func.func @as_operand(%p: tensor<64x64xbf16, #s>) -> tensor<64x64xbf16, #tile.operand<0 of #s>> {
      %a = tile.convert %p : tensor<64x64xbf16, #s> -> tensor<64x64xbf16, #tile.operand<0 of #s>>
      return %a : tensor<64x64xbf16, #tile.operand<0 of #s>>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$tile);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$tile attr-dict `:` type($tile) `->` type($result)";
  let hasVerifier = 1;
}

//===-- what passes add for warpgroups ---------------------------------------===//

def Tile_RolesOp : Tile_Op<"roles", [RecursiveMemoryEffects, NoTerminator]> {
  let summary = "Two parts of a program that run at the same time, each on warps of its own";
  let description = [{
    The first region only begins copies; the second computes. `warps` counts the warps of a role, `registers` what each
    of its threads may use. What both need is computed in both: nothing but rings and arguments of the function comes in
    from outside.

    Errors: warps of a role must be a multiple of four, a warpgroup, and registers a multiple of 8 from 24 to 256; no
    tile may come in from outside.

    ```mlir
    func.func @copy(%keys: !tile.view<128 x bf16>, %col: index, %n: index) {
      %ring = tile.ring : !tile.ring<2 x tensor<64x128xbf16>>
      tile.roles load warps = 4 registers = 24 {
        tile.fill %ring[%n] from %keys[%col] : !tile.ring<2 x tensor<64x128xbf16>>, !tile.view<128 x bf16>
      } compute warps = 8 registers = 240 {
        %k = tile.await %ring[%n] : !tile.ring<2 x tensor<64x128xbf16>> -> tensor<64x128xbf16>
        tile.release %ring[%n] : !tile.ring<2 x tensor<64x128xbf16>>
      }
      return
    }
    ```
  }];
  let arguments = (ins I64Attr:$load_warps, I64Attr:$load_registers, I64Attr:$compute_warps, I64Attr:$compute_registers);
  let regions = (region MaxSizedRegion<1>:$load, MaxSizedRegion<1>:$compute);
  let assemblyFormat = [{
    `load` `warps` `=` $load_warps `registers` `=` $load_registers $load
    `compute` `warps` `=` $compute_warps `registers` `=` $compute_registers $compute attr-dict
  }];
  let hasVerifier = 1;
}

def Tile_DotStartOp : Tile_Op<"dot_start", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Begin a matrix product";
  let description = [{
    As `tile.dot`, but the product is only begun. Tiles in shared memory must not be released, and registers that it
    reads must stay, until a wait has ended it. Products complete in the order in which they were begun.

    ```mlir
    func.func @begin(%q: tensor<128x128xbf16>, %k: tensor<64x128xbf16>) -> tensor<128x64xf32> {
      %p = tile.dot_start %q, trans_b %k : tensor<128x128xbf16>, tensor<64x128xbf16> -> !tile.pending<tensor<128x64xf32>>
      %s = tile.dot_wait %p leaving 0 : !tile.pending<tensor<128x64xf32>> -> tensor<128x64xf32>
      return %s : tensor<128x64xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$lhs, AnyRankedTensor:$rhs, Optional<AnyRankedTensor>:$acc, UnitAttr:$trans_b);
  let results = (outs Tile_Pending:$result);
  let assemblyFormat = [{
    $lhs `,` (`trans_b` $trans_b^)? $rhs (`into` $acc^ `:` type($acc) `,`) : (`:`)? type($lhs) `,` type($rhs) attr-dict `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_DotWaitOp : Tile_Op<"dot_wait", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Wait for a product: its tile";
  let description = [{
    `leaving` younger products may still be running.

    Errors: the result must be the tile of the pending product, which must not be waited for twice.

    ```mlir
    func.func @behind(%p: tensor<128x64xbf16>, %v: tensor<64x128xbf16>, %acc: tensor<128x128xf32>) -> tensor<128x128xf32> {
      %begun = tile.dot_start %p, %v into %acc : tensor<128x128xf32>, tensor<128x64xbf16>, tensor<64x128xbf16> -> !tile.pending<tensor<128x128xf32>>
      %sum = tile.dot_wait %begun leaving 0 : !tile.pending<tensor<128x128xf32>> -> tensor<128x128xf32>
      return %sum : tensor<128x128xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Pending:$product, I64Attr:$leaving);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $product `leaving` $leaving attr-dict `:` type($product) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_TakeTurnOp : Tile_Op<"take_turn", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Wait until the warpgroup before has passed on the turn";
  let description = [{
    Computing warpgroups have a turn one after the other, the first one first. Between `take_turn` and `pass_turn` a
    warpgroup begins its products, so that the products of one run while the others compute their softmax. All of them
    take and pass equally often.

    ```mlir
    func.func @turn() {
      tile.take_turn
      tile.pass_turn
      return
    }
    ```
  }];
  let assemblyFormat = "attr-dict";
}

def Tile_PassTurnOp : Tile_Op<"pass_turn", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Hand the turn to the next warpgroup";
  let description = [{
    See `tile.take_turn`.
  }];
  let assemblyFormat = "attr-dict";
}

def Tile_BlankOp : Tile_Op<"blank", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Rows of a tile in a ring that lie behind the end of its sequence become zero";
  let description = [{
    A copy by boxes knows where a tensor ends, not where a sequence ends inside it. What lies behind may be anything, not
    a number included, and a weight of 0 does not make that 0. The tile of fill number n holds the rows of the view from
    `at` on. All computing warps wait for one another; nothing happens where all rows exist.

    ```mlir
    func.func @edge(%ring: !tile.ring<2 x tensor<64x128xbf16>>, %n: index, %values: !tile.view<128 x bf16>, %col: index) {
      tile.blank %ring[%n] from %values[%col] : !tile.ring<2 x tensor<64x128xbf16>>, !tile.view<128 x bf16>
      return
    }
    ```
  }];
  let arguments = (ins Tile_Ring:$ring, Index:$number, Tile_View:$view, Index:$at);
  let assemblyFormat = "$ring `[` $number `]` `from` $view `[` $at `]` attr-dict `:` type($ring) `,` type($view)";
}

include "dialect/TileSequences.td"
include "dialect/TileSteps.td"
include "dialect/TileSums.td"

#endif
