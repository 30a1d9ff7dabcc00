// SPDX-License-Identifier: Apache-2.0
// Selecting as a step of a kernel: which row of sums a program has, how many of them count, and where its list goes.
#include "passes/SelectWrapper.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/KernelWrapper.h"
#include "passes/ScheduleInstance.h"
#include "passes/ScheduleText.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {

/// Rows are few and may be long: many threads look at each.
static constexpr int64_t kWarps = 16;

func::FuncOp writeSelect(KernelOp kernel, SelectOp select, SymbolTable &symbols) {
  KernelWrapper wrapper(kernel, symbols, "_select", kWarps, /*stages=*/1);
  SequenceViews &views = wrapper.views;
  Value sums = wrapper.of(select.getSums());
  ValueRange ids = wrapper.programs({views.sizeOf(sums, 1), views.sizeOf(sums, 0)});
  Value head = ids[0], batch = ids[1], entries = views.sizeOf(sums, 2);
  if (Value below = select.getBelow())
    entries = views.load(below, batch, entries);
  Value list = wrapper.memoryOfResult(select.getList()), count = wrapper.memoryOfResult(select.getCount());
  auto typeOf = [](Value memory) { return cast<MemRefType>(memory.getType()); };
  auto text = parseSelectSchedule({typeOf(sums), typeOf(list), typeOf(count)}, kernel.getContext());
  assert(text && "every schedule of the library parses");
  Value most = wrapper.of(select.getTop() ? Value(select.getTop()) : Value(select.getCover()));
  ScheduleInstance(*text, ScheduleLinks(), wrapper.builder)
      .inlineFunction(select.getTop() ? "select_top" : "select_cover", {batch, head, entries, most, sums, list, count});
  func::ReturnOp::create(wrapper.builder);
  return wrapper.function;
}

} // namespace attn
