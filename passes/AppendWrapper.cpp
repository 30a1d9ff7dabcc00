// SPDX-License-Identifier: Apache-2.0
// Appending to a cache as a step of a kernel: which new entries a program has, and where in the cache they belong.
#include "passes/AppendWrapper.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/KernelWrapper.h"
#include "passes/ScheduleInstance.h"
#include "passes/ScheduleText.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {

namespace {

/// A program copies few rows: that are enough programs for a long prompt, and one for a token of a few heads.
constexpr int64_t kWarps = 1, kRowsOfTile = 16 * kWarps;

class AppendWrapper {
public:
  AppendWrapper(KernelOp kernel, AppendOp append, SymbolTable &symbols)
      : append(append), wrapper(kernel, symbols, "_append", kWarps, /*stages=*/1) {}

  func::FuncOp write() {
    Work work = writeProgram();
    Value source = append.getSource(), batches = views.countOf(source);
    SequencePart entries = views.partsOf(source, work.batch, batches).front();
    SequencePart cache = views.partsOf(append.getCache(), work.batch, batches).front();
    // The last of both are the same; a cache that is shorter than what is new has room for the last only.
    Value none = views.index(0);
    Value behind = arith::SubIOp::create(builder, cache.length, entries.length);
    Value to = arith::MaxSIOp::create(builder, behind, none);
    Value from = arith::MaxSIOp::create(builder, arith::SubIOp::create(builder, none, behind), none);
    Value fromRow = arith::AddIOp::create(builder, rowsOf(from), work.row);
    Value toRow = arith::AddIOp::create(builder, rowsOf(to), work.row);
    copy(entries.keys, cache.keys, entries, cache, fromRow, toRow);
    if (tensorsOfCache(append).size() == 2)
      copy(entries.values, cache.values, entries, cache, fromRow, toRow);
    func::ReturnOp::create(builder);
    return wrapper.function;
  }

private:
  /// A sequence, and the row at which its program begins among those that are copied.
  struct Work {
    Value batch, row;
  };

  Value rowsOf(Value tokens) { return arith::MulIOp::create(builder, tokens, views.index(heads)); }

  /// Sequences that lie one behind the other have blocks one behind the other, as those of packed queries.
  Work writeProgram() {
    Value source = append.getSource(), rows = views.index(kRowsOfTile), block, batch;
    if (RaggedOp packing = packingOf(source)) {
      ValueRange ids = wrapper.programs(views.blocksOf(packing, kRowsOfTile, heads));
      auto found = views.locate(packing, ids[0], kRowsOfTile, heads);
      batch = found.getBatch();
      block = found.getBlock();
    } else {
      Value most = rowsOf(views.sizeOf(wrapper.of(tensorOf(source, false)), 1));
      ValueRange ids = wrapper.programs({arith::CeilDivUIOp::create(builder, most, rows), views.countOf(source)});
      block = ids[0];
      batch = ids[1];
    }
    return {batch, arith::MulIOp::create(builder, block, rows)};
  }

  void copy(Value from, Value to, const SequencePart &entries, const SequencePart &cache, Value fromRow, Value toRow) {
    auto type = cast<MemRefType>(to.getType());
    auto text = parseAppendSchedule({kRowsOfTile, type.getShape().back(), type.getElementType()}, builder.getContext());
    assert(text && "every schedule of the library parses");
    auto rowsOf = [&](Value memory, SequencePart part) {
      part.position = part.positions = part.positionsBatch = Value();
      part.keys = memory;
      return views.viewOfQuery(part, views.index(0), heads);
    };
    ScheduleInstance(*text, links, builder)
        .inlineFunction("append", {fromRow, toRow, rowsOf(from, entries), rowsOf(to, cache)});
  }

  AppendOp append;
  KernelWrapper wrapper;
  ImplicitLocOpBuilder &builder{wrapper.builder};
  SequenceViews &views{wrapper.views};
  ScheduleLinks links;
  int64_t heads{headsOf(cast<RankedTensorType>(tensorsOfCache(append).front().getType()))};
};

} // namespace

func::FuncOp writeAppend(KernelOp kernel, AppendOp append, SymbolTable &symbols) {
  return AppendWrapper(kernel, append, symbols).write();
}

} // namespace attn
