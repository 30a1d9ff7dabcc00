// SPDX-License-Identifier: Apache-2.0
// The tile dialect's operations on batches of sequences that lie elsewhere than in one dense tensor. Part of Tile.td.
#ifndef ATTN_DIALECT_TILE_SEQUENCES
#define ATTN_DIALECT_TILE_SEQUENCES

def Tile_ConcatOp : Tile_Op<"concat", [Pure]> {
  let summary = "Sequences one after another, as one walk sees them";
  let description = [{
    The rows of the first view, then those of the second, and so on. Each part says its own `index`, so that rows are
    numbered through, and its own positions. Only walks, and what stands in their bodies, read it: `expand-sources`
    makes a walk over each part of it.

    Errors: at least two views, of one type.

    ```mlir
    func.func @both(%past: !tile.view<128 x bf16>, %new: !tile.view<128 x bf16>) -> index {
      %keys = tile.concat %past, %new : !tile.view<128 x bf16>, !tile.view<128 x bf16> -> !tile.view<128 x bf16>
      %n = tile.extent %keys : !tile.view<128 x bf16>
      return %n : index
    }
    ```
  }];
  let arguments = (ins Variadic<Tile_View>:$parts);
  let results = (outs Tile_View:$view);
  let assemblyFormat = "$parts attr-dict `:` type($parts) `->` type($view)";
  let hasVerifier = 1;
}

def Tile_LocateOp : Tile_Op<"locate", [MemoryEffects<[MemRead]>]> {
  let summary = "The sequence of a packed batch that a program works at, and which of its blocks of rows";
  let description = [{
    Sequence b of the batch is tokens `starts[b]` up to `starts[b + 1]`, each of which has `packed` rows. Programs are
    numbered so that those of sequence b begin with number starts[b] * packed div step + b: enough for all its rows,
    wherever it begins, and known without counting the blocks of the sequences before. The sequence is found by
    bisection. What is left over are blocks without rows: at most one for each sequence, and one per `step` rows in
    front of `starts[0]`.

    Errors: integers of rank 1, a positive step and number of rows.

    ```mlir
    func.func @program(%number: index, %starts: memref<?xi32>) -> (index, index) {
      %batch, %block = tile.locate %number in %starts step 128 : memref<?xi32>
      return %batch, %block : index, index
    }
    func.func @four_heads(%number: index, %starts: memref<?xi32>) -> (index, index) {
      %batch, %block = tile.locate %number in %starts step 16 packed 4 : memref<?xi32>
      return %batch, %block : index, index
    }
    ```
  }];
  let arguments = (ins Index:$number, AnyMemRef:$starts, I64Attr:$step,
                       DefaultValuedAttr<I64Attr, "1">:$packed);
  let results = (outs Index:$batch, Index:$block);
  let assemblyFormat = "$number `in` $starts `step` $step (`packed` $packed^)? attr-dict `:` type($starts)";
  let hasVerifier = 1;
}

def Tile_HeldOp : Tile_Op<"held", [MemoryEffects<[MemRead]>]> {
  let summary = "How many pages the runs of a sequence hold";
  let description = [{
    A row of `runs` has pairs (first page, number of pages). They are counted in order, up to `most`; what stands behind
    the used part of a row does not change the result. A number below 0 counts as none.

    Errors: integers of shape (batch, max_runs, 2).

    ```mlir
    func.func @pages(%runs: memref<?x?x2xi32>, %batch: index, %wanted: index) -> index {
      %n = tile.held %runs[%batch] most %wanted : memref<?x?x2xi32>
      return %n : index
    }
    ```
  }];
  let arguments = (ins AnyMemRef:$runs, Index:$batch, Index:$most);
  let results = (outs Index:$pages);
  let assemblyFormat = "$runs `[` $batch `]` `most` $most attr-dict `:` type($runs)";
  let hasVerifier = 1;
}

#endif
