// SPDX-License-Identifier: Apache-2.0
// The tile dialect's operations on masks that are lists: sets of numbers in memory, and the tiles that a loop visits.
// Part of Tile.td.
#ifndef ATTN_DIALECT_TILE_LISTS
#define ATTN_DIALECT_TILE_LISTS

//===-- lists in memory ----------------------------------------------------===//

def Tile_MemberOp : Tile_Op<"member", [MemoryEffects<[MemRead]>]> {
  let summary = "Whether a number is among the entries of a row of a list";
  let description = [{
    The row is named by as many indices as there are dimensions before that of the entries. Entries `from` up to `to`
    are in the set, as far as the row has them. Where the last dimension is 2 and one index less is given, an entry is a
    half-open range. Entries increase (ranges by their start); of a row where they do not, some part counts, and nothing
    outside of it is read.

    Errors: integers; indices for all dimensions but that of the entries.

    ```mlir
    func.func private @listed(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %columns: memref<?x?x?xi32>, %n: index) -> i1 {
      %first = arith.constant 0 : index
      %found = tile.member %kv of %columns[%b, %h] from %first to %n : memref<?x?x?xi32>
      return %found : i1
    }
    ```
  }];
  let arguments = (ins Index:$value, AnyMemRef:$list, Variadic<Index>:$row, Index:$from, Index:$to);
  let results = (outs I1:$found);
  let assemblyFormat = "$value `of` $list (`[` $row^ `]`)? `from` $from `to` $to attr-dict `:` type($list)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Whether entries are half-open ranges; else numbers.
    bool hasRanges() {
      return ::mlir::cast<::mlir::MemRefType>(getList().getType()).getRank() == int64_t(getRow().size()) + 2;
    }
  }];
}

def Tile_PlaceOp : Tile_Op<"place", [MemoryEffects<[MemRead]>]> {
  let summary = "The first place of a row of a list from which on entries are not below a number";
  let description = [{
    Of the places from `from` up to `to`, which exist; `to` if there is none. Entries are numbers and increase; of a row
    where they do not, the result is some place of these, or `to`.

    Errors: integers; indices for all dimensions but that of the entries.

    ```mlir
    func.func @first(%columns: memref<?x?x?xi32>, %b: index, %h: index, %n: index, %column: index) -> index {
      %zero = arith.constant 0 : index
      %place = tile.place of %column in %columns[%b, %h] from %zero to %n : memref<?x?x?xi32>
      return %place : index
    }
    ```
  }];
  let arguments = (ins Index:$number, AnyMemRef:$list, Variadic<Index>:$row, Index:$from, Index:$to);
  let results = (outs Index:$place);
  let assemblyFormat = "`of` $number `in` $list (`[` $row^ `]`)? `from` $from `to` $to attr-dict `:` type($list)";
  let hasVerifier = 1;
}

//===-- selecting -----------------------------------------------------------===//

def Tile_SelectOp : Tile_Op<"select", [AttrSizedOperandSegments, MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Write the list of the largest of a row of sums";
  let description = [{
    Of entries 0 up to `to` of a row: with `top k` the k largest, with `cover a` the fewest, largest first, whose sum
    reaches the share a of the sum of all. Of equal ones the smaller index comes first; NaN stands for minus infinity.
    The indices are written in increasing order, -1 behind them, and their number to `count`. A list that has no room
    for all of them holds the largest. All threads of the program take part; the row of sums, of the list and of the
    count has the same indices.

    For `cover`, sums are added as whole multiples of a unit, so that no order of adding changes the choice. The unit is
    2^(c - 62) of a power of two above the largest magnitude of the row, with c = ceil(log2(number of entries)), and
    every entry is cut off to it. Where all entries are multiples of it and their sum is below 2^53 units, the choice is
    that of exact arithmetic, up to one rounding of a * total in f64. Else the sums that are compared are wrong by less
    than one unit for each entry: of 4096 entries by 2^-37 of the largest, of a million by 2^-21. Entries below one unit
    count as nothing.

    Errors: f32 sums; integers in list and count; a row of the list, and a count, for each row of sums; one of `top` and
    `cover`.

    ```mlir
    func.func @heavy(%b: index, %h: index, %n: index, %k: index, %sums: memref<?x?x?xf32>, %list: memref<?x?x?xi32>, %count: memref<?x?xi32>) {
      tile.select %sums[%b, %h] to %n top %k into %list count %count : memref<?x?x?xf32> into memref<?x?x?xi32> count memref<?x?xi32>
      return
    }
    func.func @enough(%b: index, %h: index, %n: index, %a: f32, %sums: memref<?x?x?xf32>, %list: memref<?x?x?xi32>, %count: memref<?x?xi32>) {
      tile.select %sums[%b, %h] to %n cover %a into %list count %count : memref<?x?x?xf32> into memref<?x?x?xi32> count memref<?x?xi32>
      return
    }
    ```
  }];
  let arguments = (ins AnyMemRef:$sums, Variadic<Index>:$row, Index:$to, Optional<Index>:$top, Optional<F32>:$cover,
                       AnyMemRef:$list, AnyMemRef:$count);
  let assemblyFormat = [{
    $sums (`[` $row^ `]`)? `to` $to (`top` $top^)? (`cover` $cover^)? `into` $list `count` $count attr-dict
    `:` type($sums) `into` type($list) `count` type($count)
  }];
  let hasVerifier = 1;
}

//===-- values of rows ---------------------------------------------------===//

def Tile_FirstAboveOp : Tile_Op<"first_above", [MemoryEffects<[MemRead]>]> {
  let summary = "Where values of a tensor that do not fall first exceed a number";
  let description = [{
    Of the elements that begin at `at` and follow one another along dimension `along`, up to index `to` of it: the index
    of the first that is greater than `number`, or `to` if none is. All of them exist. Where they do fall somewhere, some
    index from the first up to `to`.

    Errors: integers of at most 32 bits; as many indices as dimensions, `along` one of them.

    ```mlir
    func.func @documents(%ids: memref<?x?xi32>, %b: index, %id: index, %n: index) -> index {
      %first = arith.constant 0 : index
      %end = tile.first_above %id in %ids[%b, %first] along 1 to %n : memref<?x?xi32>
      return %end : index
    }
    ```
  }];
  let arguments = (ins Index:$number, AnyMemRef:$values, Variadic<Index>:$at, I64Attr:$along, Index:$to);
  let results = (outs Index:$place);
  let assemblyFormat = "$number `in` $values `[` $at `]` `along` $along `to` $to attr-dict `:` type($values)";
  let hasVerifier = 1;
}

def Tile_ExtremesOp : Tile_Op<"extremes", [MemoryEffects<[MemRead]>]> {
  let summary = "The least and the greatest of some values of a tensor";
  let description = [{
    Of the elements that begin at `at` and follow one another along dimension `along`, up to index `to` of it, all of
    which exist. Without an element both are 0.

    Errors: as for `tile.first_above`.

    ```mlir
    func.func @starts(%starts: memref<?x?xi32>, %b: index, %row: index, %end: index) -> (index, index) {
      %least, %greatest = tile.extremes %starts[%b, %row] along 1 to %end : memref<?x?xi32>
      return %least, %greatest : index, index
    }
    ```
  }];
  let arguments = (ins AnyMemRef:$values, Variadic<Index>:$at, I64Attr:$along, Index:$to);
  let results = (outs Index:$least, Index:$greatest);
  let assemblyFormat = "$values `[` $at `]` `along` $along `to` $to attr-dict `:` type($values)";
  let hasVerifier = 1;
}

//===-- lists of tiles -----------------------------------------------------===//

def Tile_List : Tile_Type<"List", "list"> {
  let summary = "Numbers of tiles that a loop visits, in ascending order, in shared memory";
}

def Tile_CollectOp : Tile_Op<"collect", [NoTerminator, RecursiveMemoryEffects]> {
  let summary = "Make a list of tiles";
  let description = [{
    Marks in the region say of which tiles a mask may show a pair, and of which it may hide one. The list holds the
    numbers from `from` up to `to` that a mark `visible` covers; one that no mark `hidden` covers is full. All threads of
    the program take part; what the region computes outside of `tile.each` is the same for all of them. Where there are more than `most` numbers in the range, the list is all of them, none full:
    that is right, if slow.

    ```mlir
    func.func @stripes(%from: index, %to: index, %a: index, %b: index) -> index {
      %list = tile.collect %from to %to most 1024 {
        tile.mark visible %a to %b
        tile.mark hidden %a to %b
      }
      %n = tile.count %list
      return %n : index
    }
    ```
  }];
  let arguments = (ins Index:$from, Index:$to, I64Attr:$most);
  let results = (outs Tile_List:$list);
  let regions = (region MaxSizedRegion<1>:$body);
  let assemblyFormat = "$from `to` $to `most` $most $body attr-dict";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The largest number of places that a list can have: they are kept in 16 bits, one of which says "full".
    static constexpr int64_t mostPlaces = 1 << 15;
  }];
}

def Tile_SightEnum : I32EnumAttr<"Sight", "what a mask may do to a pair", [
    I32EnumAttrCase<"visible", 0>, I32EnumAttrCase<"hidden", 1>]> {
  let cppNamespace = "::attn::tile";
}

def Tile_MarkOp : Tile_Op<"mark", [MemoryEffects<[MemWrite]>]> {
  let summary = "Tiles that may have a visible, or a hidden, pair";
  let description = [{
    Numbers `from` up to `to`, of those in the range that is collected; none where `to` is not behind `from`. See
    `tile.collect`, in whose region it stands.
  }];
  let arguments = (ins Tile_SightEnum:$sight, Index:$from, Index:$to);
  let assemblyFormat = "$sight $from `to` $to attr-dict";
  let hasVerifier = 1;
}

def Tile_CommonOp : Tile_Op<"common", [NoTerminator, RecursiveMemoryEffects]> {
  let summary = "Tiles that each of several regions marks";
  let description = [{
    Marks in the regions, whatever their sight, count only together: what all regions have marked gets this operation's.
    It stands in a `tile.collect`, not in a `tile.each`.

    ```mlir
    func.func @both(%from: index, %to: index, %a: index, %b: index, %c: index) -> !tile.list {
      %list = tile.collect %from to %to most 1024 {
        tile.common visible {
          tile.mark visible %a to %b
        }, {
          tile.mark visible %b to %c
        }
      }
      return %list : !tile.list
    }
    ```
  }];
  let arguments = (ins Tile_SightEnum:$sight);
  let regions = (region VariadicRegion<MaxSizedRegion<1>>:$parts);
  let assemblyFormat = "$sight $parts attr-dict";
  let hasVerifier = 1;
}

def Tile_EachOp : Tile_Op<"each", [SingleBlock, NoTerminator, RecursiveMemoryEffects]> {
  let summary = "Steps that threads share out among themselves";
  let description = [{
    The region is executed once for each number from `from` up to `to`, in any order: one thread a number.

    ```mlir
    func.func @each(%from: index, %to: index, %n: index, %list: memref<?xi32>) -> !tile.list {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %tiles = tile.collect %from to %to most 1024 {
        tile.each %i in [%zero to %n] {
          %entry = memref.load %list[%i] : memref<?xi32>
          %t = arith.index_cast %entry : i32 to index
          %next = arith.addi %t, %one : index
          tile.mark visible %t to %next
        }
      }
      return %tiles : !tile.list
    }
    ```
  }];
  let arguments = (ins Index:$from, Index:$to);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Tile_CountOp : Tile_Op<"count", [Pure]> {
  let summary = "How many tiles a list has";
  let description = [{
    See `tile.collect`.
  }];
  let arguments = (ins Tile_List:$list);
  let results = (outs Index:$count);
  let assemblyFormat = "$list attr-dict";
}

def Tile_EntryOp : Tile_Op<"entry", [Pure]> {
  let summary = "The tile in a place of a list";
  let description = [{
    Places are counted from 0; there must be one of this number.

    ```mlir
    func.func @column(%list: !tile.list, %n: index) -> index {
      %t = tile.entry %list[%n]
      %step = arith.constant 64 : index
      %col = arith.muli %t, %step : index
      return %col : index
    }
    ```
  }];
  let arguments = (ins Tile_List:$list, Index:$place);
  let results = (outs Index:$tile);
  let assemblyFormat = "$list `[` $place `]` attr-dict";
}

def Tile_RunOp : Tile_Op<"run", [Pure]> {
  let summary = "How far tiles of one kind go on in a list";
  let description = [{
    The first place from `place` on whose tile is full (`of hidden`: all before it may hide pairs) or is not (`of
    visible`), or the number of places. `place` may be that number.

    ```mlir
    func.func @rounds(%list: !tile.list, %place: index) -> (index, index) {
      %masked_to = tile.run of hidden %list[%place]
      %full_to = tile.run of visible %list[%masked_to]
      return %masked_to, %full_to : index, index
    }
    ```
  }];
  let arguments = (ins Tile_SightEnum:$sight, Tile_List:$list, Index:$place);
  let results = (outs Index:$end);
  let assemblyFormat = "`of` $sight $list `[` $place `]` attr-dict";
}

#endif
