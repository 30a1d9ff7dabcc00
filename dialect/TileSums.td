// SPDX-License-Identifier: Apache-2.0
// The tile dialect's operations on sums that many programs add to. Part of Tile.td.
#ifndef ATTN_DIALECT_TILE_SUMS
#define ATTN_DIALECT_TILE_SUMS

def Tile_PerEnum : I32EnumAttr<"SumsPer", "", [I32EnumAttrCase<"key", 0>, I32EnumAttrCase<"distance", 1>]> {
  let cppNamespace = "::attn::tile";
}

def Tile_ClearOp : Tile_Op<"clear", [MemoryEffects<[MemWrite]>]> {
  let summary = "Some cells of a row become 0";
  let description = [{
    Those with the numbers `first` to `first + count - 1`, as far as the row has them. The threads of a program share
    them.

    ```mlir
    func.func @clear(%cells: memref<?x?xi64>, %row: index, %first: index) {
      tile.clear %cells[%row, %first] count 1024 : memref<?x?xi64>
      return
    }
    ```
  }];
  let arguments = (ins AnyMemRef:$cells, Index:$row, Index:$first, I64Attr:$count);
  let assemblyFormat = "$cells `[` $row `,` $first `]` `count` $count attr-dict `:` type($cells)";
}

def Tile_TallyOp : Tile_Op<"tally", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Add the elements of a tile to cells that other programs add to as well";
  let description = [{
    `per key` the cell has the number of the element's column in its sequence, `per distance` that by which the row's
    position lies behind the column's. What has no such cell is left out. Elements are from 0 to 1; one that is no number
    counts as 0. A cell is an integer, in units of 2^-36: integers have one sum in whatever order programs come. Elements
    of a warp's rows may be added up before, in f32 and in an order of their own.

    ```mlir
    func.func @add(%p: tensor<128x64xf32>, %cells: memref<?x?xi64>, %sums: index, %query: !tile.view<128 x bf16>, %row: index, %keys: !tile.view<128 x bf16>, %col: index) {
      tile.tally %p to %cells[%sums] per key rows %query[%row] cols %keys[%col] : tensor<128x64xf32>, memref<?x?xi64>, !tile.view<128 x bf16>, !tile.view<128 x bf16>
      return
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$tile, AnyMemRef:$cells, Index:$sums, Tile_PerEnum:$per, Tile_View:$rows,
                       Index:$row, Tile_View:$cols, Index:$col);
  let assemblyFormat = [{
    $tile `to` $cells `[` $sums `]` `per` $per `rows` $rows `[` $row `]` `cols` $cols `[` $col `]` attr-dict
    `:` type($tile) `,` type($cells) `,` type($rows) `,` type($cols)
  }];
}

def Tile_SettleOp : Tile_Op<"settle", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Some cells of a row become numbers";
  let description = [{
    What `tile.tally` has added up in the cells `first` to `first + count - 1`, as far as the row has them, is written as
    f32 to `sums[batch, head, cell]`. The threads of a program share them.

    ```mlir
    func.func @settle(%cells: memref<?x?xi64>, %row: index, %first: index, %sums: memref<?x8x?xf32>, %b: index, %h: index) {
      tile.settle %cells[%row, %first] count 1024 to %sums[%b, %h] : memref<?x?xi64>, memref<?x8x?xf32>
      return
    }
    ```
  }];
  let arguments = (ins AnyMemRef:$cells, Index:$row, Index:$first, I64Attr:$count, AnyMemRef:$sums, Index:$batch,
                       Index:$head);
  let assemblyFormat = [{
    $cells `[` $row `,` $first `]` `count` $count `to` $sums `[` $batch `,` $head `]` attr-dict
    `:` type($cells) `,` type($sums)
  }];
}

#endif
