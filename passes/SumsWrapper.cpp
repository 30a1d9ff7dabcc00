// SPDX-License-Identifier: Apache-2.0
// Cells of sums as memory, and the two steps around the walk that adds to them.
#include "passes/SumsWrapper.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/RowStatistics.h"

using namespace mlir;

namespace attn {

namespace {

constexpr int64_t kWarps = 4, kCellsOfProgram = 1024;

/// A row of cells for each head of each sequence, and how many cells it has.
std::pair<Value, Value> sizesOf(KernelWrapper &wrapper, const Attention &attention, size_t number) {
  Value sequences = wrapper.views.countOf(ScoresOp(attention.scores).getQuery());
  Value heads = wrapper.views.index(headsOf(attention.query));
  Value sums = wrapper.memoryOfResult(SumsOp(attention.sums[number]).getSums());
  return {arith::MulIOp::create(wrapper.builder, sequences, heads), wrapper.views.sizeOf(sums, 2)};
}

std::string suffixOf(StringRef step, size_t number) {
  return ("_" + step + (number ? Twine(number + 1) : Twine())).str();
}

/// Programs each of which has some cells of one row.
struct CellPrograms {
  CellPrograms(KernelWrapper &wrapper, const Attention &attention, size_t number)
      : cells(cellsOfSums(wrapper, attention, number)) {
    auto [rows, count] = sizesOf(wrapper, attention, number);
    Value most = wrapper.views.index(kCellsOfProgram);
    ValueRange ids = wrapper.programs({arith::CeilDivUIOp::create(wrapper.builder, count, most), rows});
    first = arith::MulIOp::create(wrapper.builder, ids[0], most);
    row = ids[1];
  }
  Value cells, row, first;
};

/// Whether a function, or one that it calls, looks at the argument of this number or at the key's index.
bool looksAt(func::FuncOp function, unsigned number) {
  if (function.isExternal() || !function.getOps<ColumnOp>().empty())
    return true;
  return llvm::any_of(function.getArgument(number).getUses(),
                      [](OpOperand &use) {
                        auto call = dyn_cast<func::CallOp>(use.getOwner());
                        auto callee =
                            call ? SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr())
                                 : func::FuncOp();
                        return !callee || looksAt(callee, use.getOperandNumber());
                      }) ||
         llvm::any_of(function.getOps<func::CallOp>(), [](func::CallOp call) {
           auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
           return !callee || callee.walk([](ColumnOp) { return WalkResult::interrupt(); }).wasInterrupted();
         });
}

} // namespace

bool countsRows(SumsOp sums) {
  if (!sums.getByAttr())
    return false;
  constexpr unsigned kKeyOfSpec = 3; // (b, h, q, kv, parameters...)
  auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(sums, sums.getByAttr());
  return function && !looksAt(function, kKeyOfSpec);
}

Value cellsOfSums(KernelWrapper &wrapper, const Attention &attention, size_t number) {
  ImplicitLocOpBuilder &builder = wrapper.builder;
  Value offset = RowStatistics::bytesOf(wrapper, attention), rows, count;
  for (size_t i = 0; i <= number; ++i) {
    if (i) {
      Value cells = arith::MulIOp::create(builder, rows, count);
      Value bytes = arith::MulIOp::create(builder, cells, wrapper.views.index(sizeof(int64_t)));
      offset = arith::AddIOp::create(builder, offset, bytes);
    }
    std::tie(rows, count) = sizesOf(wrapper, attention, i);
  }
  constexpr int64_t any = ShapedType::kDynamic;
  return tile::WorkspaceOp::create(builder, MemRefType::get({any, any}, builder.getI64Type()), offset,
                                   ValueRange{rows, count});
}

func::FuncOp writeClear(KernelOp kernel, const Attention &attention, size_t number, SymbolTable &symbols) {
  KernelWrapper wrapper(kernel, symbols, suffixOf("clear", number), kWarps, /*stages=*/1);
  CellPrograms program(wrapper, attention, number);
  tile::ClearOp::create(wrapper.builder, program.cells, program.row, program.first, kCellsOfProgram);
  func::ReturnOp::create(wrapper.builder);
  return wrapper.function;
}

func::FuncOp writeSettle(KernelOp kernel, const Attention &attention, size_t number, SymbolTable &symbols) {
  KernelWrapper wrapper(kernel, symbols, suffixOf("settle", number), kWarps, /*stages=*/1);
  CellPrograms program(wrapper, attention, number);
  Value heads = wrapper.views.index(headsOf(attention.query));
  Value batch = arith::DivUIOp::create(wrapper.builder, program.row, heads);
  Value head = arith::RemUIOp::create(wrapper.builder, program.row, heads);
  Value sums = wrapper.memoryOfResult(SumsOp(attention.sums[number]).getSums());
  tile::SettleOp::create(wrapper.builder, program.cells, program.row, program.first, kCellsOfProgram, sums, batch,
                         head);
  func::ReturnOp::create(wrapper.builder);
  return wrapper.function;
}

} // namespace attn
