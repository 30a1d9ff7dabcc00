// SPDX-License-Identifier: Apache-2.0
// The operations of score and mask functions beside arithmetic. Included by Attn.td.
#ifndef ATTN_DIALECT_ATTN_FUNCTIONS
#define ATTN_DIALECT_ATTN_FUNCTIONS

//===-- in functions -------------------------------------------------------===//

def Attn_MemberOp : Attn_ValueOp<"member", "found", [AttrSizedOperandSegments]> {
  let summary = "Whether a number is in a row of a list";
  let description = [{
    1. The row of the list is named by as many indices as there are dimensions before the last; it is a set.
    2. With `count`, only the first `count[row]` entries of the row are in the set. With `rows`, the list is packed, and
       row r is its entries `rows[r]` up to `rows[r + 1]`, the latter excluded.
    3. A list whose last dimension is 2, and which has one index less, holds half-open ranges; the question is whether
       the number lies in one of them. An empty range holds nothing.
    4. The part of a row that is used increases strictly (ranges by their start). A kernel may rely on it.

    ```mlir
    func.func @listed(%b: index, %h: index, %q: index, %kv: index,
                      %columns: tensor<?x?x?xi32>, %count: tensor<?x?xi32>) -> i1 {
      %listed = attn.member %kv of %columns[%b, %h] count %count : tensor<?x?x?xi32> count tensor<?x?xi32>
      return %listed : i1
    }
    ```
  }];
  let arguments = (ins Index:$value, AnyRankedTensor:$list, Variadic<Index>:$row, Optional<AnyRankedTensor>:$count,
                       Optional<AnyRankedTensor>:$rows);
  let results = (outs I1:$found);
  let assemblyFormat = [{
    $value `of` $list (`[` $row^ `]`)? (`count` $count^)? (`rows` $rows^)? attr-dict
    `:` type($list) (`count` type($count)^)? (`rows` type($rows)^)?
  }];
  let hasVerifier = 1;
}

def Attn_RowOp : Attn_ValueOp<"row", "row"> {
  let summary = "The index of the query among those of its sequence";
  let description = [{
    What a tensor with a value per query is indexed by. It differs from the position `q` wherever keys come before
    the first query.

    ```mlir
    func.func @bias(%score: f32, %b: index, %h: index, %q: index, %kv: index, %bias: tensor<?x?xf32>) -> f32 {
      %row = attn.row
      %x = tensor.extract %bias[%b, %row] : tensor<?x?xf32>
      %y = arith.addf %score, %x : f32
      return %y : f32
    }
    ```
  }];
  let results = (outs Index:$row);
  let assemblyFormat = "attr-dict";
}

def Attn_ColumnOp : Attn_ValueOp<"column", "column"> {
  let summary = "The index of the key among those of its sequence";
  let description = [{
    What a tensor with a value per key entry is indexed by. It differs from the position `kv` after `attn.at` only.

    ```mlir
    func.func @kept(%b: index, %h: index, %q: index, %kv: index, %kept: tensor<?x?xi1>) -> i1 {
      %column = attn.column
      %visible = tensor.extract %kept[%b, %column] : tensor<?x?xi1>
      return %visible : i1
    }
    ```
  }];
  let results = (outs Index:$column);
  let assemblyFormat = "attr-dict";
}

#endif // ATTN_DIALECT_ATTN_FUNCTIONS
