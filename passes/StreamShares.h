// SPDX-License-Identifier: Apache-2.0
// Stream-K: the tiles of all keys in one line, of which every program takes an equal share, wherever items end.
#pragma once

#include "passes/KernelWrapper.h"
#include "passes/Supported.h"

namespace attn {

/// How the tiles of all keys are shared, as choose-schedule left it on a kernel: static facts of kernel and chip. A
/// kernel and its fallback have the same, because a launch may take one for the attention and the other for the merge.
struct StreamRule {
  int64_t programs; ///< most of them; 0 where tiles are not shared like this
  int64_t granule;  ///< keys of a tile of the line; a multiple of block_kv
};
StreamRule streamRuleOf(KernelOp kernel);

/// The line of all tiles (LeanAttention, arXiv 2405.10480): sequence by sequence, in it head by head, block of rows by
/// block of rows, tile of keys by tile of keys. An item is the keys of one block of rows; all items of a sequence have
/// as many tiles. Of N tiles G = min(programs, ceil(N / 2)) programs take m = ceil(N / G) or m - 1 each: the first
/// N - (m - 1) * G of them take m. All values are of type index; there are fewer than 2^31 tiles.
///
/// What a program has of an item is a segment. Segment (program p, item i) leaves its (acc, m, l) in slot p + i of the
/// workspace: from one segment of the line to the next, p or i or both grow, so no two share a slot.
class StreamShares {
public:
  StreamShares(KernelWrapper &wrapper, const Attention &attention);

  /// Heads of the keys, or of groups of queries, and blocks of rows of a dense batch, as shapes say.
  int64_t headsOfPrograms() const { return heads; }

  /// Programs of a launch: not more than are of use for as many tiles as shapes allow. An expression of the kernel
  /// file.
  mlir::Value programs();

  /// What a sequence has: blocks of rows and tiles of keys, and of all its items together.
  struct Sequence {
    mlir::Value blocks, tiles, all;
    mlir::Value firstItem; ///< a number above those of all items of sequences before
  };
  Sequence sequence(mlir::Value batch);

  /// How the line is shared: from the number of its tiles, which may only be known on the device.
  struct Plan {
    mlir::Value all, more; ///< tiles, and programs that take `most`
    mlir::Value most, less;
  };
  /// With `batch`, also the tiles in front of that sequence.
  Plan plan(mlir::Value batch = {}, mlir::Value *before = nullptr);
  /// First tile of a program's share, and one behind its last. Programs that are too many begin at or behind the end.
  std::pair<mlir::Value, mlir::Value> range(const Plan &plan, mlir::Value program);
  /// The program whose share has a tile of the line.
  mlir::Value programOf(const Plan &plan, mlir::Value tile);

  /// One segment: what of which item. Tiles are counted from the first of the item.
  struct Segment {
    mlir::Value batch, head, block, firstTile, endTile, item;
  };
  /// Writes the loop over the segments of [from, to), and `body` in it.
  void forEachSegment(mlir::Value from, mlir::Value to, llvm::function_ref<void(const Segment &)> body);

  /// Rows that a segment left, of which `rows` exist.
  struct Views {
    mlir::Value outputs, maxima, sums;
  };
  Views slot(mlir::Value number, mlir::Value rows);
  /// Rows of a block that exist, for a query of that length.
  mlir::Value rowsOfBlock(mlir::Value length, mlir::Value block);

private:
  using Values = llvm::SmallVector<mlir::Value>;
  mlir::Value index(int64_t value) { return views.index(value); }
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value subtract(mlir::Value a, mlir::Value b);
  mlir::Value multiply(mlir::Value a, mlir::Value b);
  mlir::Value tilesIn(mlir::Value rows, int64_t size);
  mlir::Value items();
  mlir::Value rowsOf(mlir::Value tokens);
  Values sumBefore(mlir::Value batch);
  Values loopWhile(mlir::ValueRange inits, llvm::function_ref<mlir::Value(mlir::ValueRange)> condition,
                   llvm::function_ref<Values(mlir::ValueRange)> body);
  Values findAmongAll(mlir::Value place);
  Values find(mlir::Value place, mlir::ValueRange known);
  Segment segmentAt(mlir::Value place, mlir::Value to, mlir::Value batch, mlir::Value before);
  void createWorkspace();

  KernelWrapper &wrapper;
  mlir::ImplicitLocOpBuilder &builder;
  SequenceViews &views;
  mlir::Value queries, keys, batches;
  int64_t most, granule, heads, packed, blockQ, headDim;
  bool uniform; ///< all sequences have as many tiles, and shapes say how many
  mlir::Value outputs, maxima, sums;
};

} // namespace attn
