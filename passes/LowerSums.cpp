// SPDX-License-Identifier: Apache-2.0
// Sums that many programs add to: integers in memory, which have one sum whatever the order.
#include "passes/TileLowering.h"

using namespace mlir;

namespace attn::tile {

/// Units of a cell in one: room for 2^27 weights of 1, and 2^-36 is a hundredth of what an f32 can tell from 1 - 2^-24.
static constexpr float kUnits = 0x1p36f;

LogicalResult TileLowering::lowerSums(Operation *op) {
  if (auto clear = dyn_cast<ClearOp>(op))
    return lowerClear(clear);
  if (auto tally = dyn_cast<TallyOp>(op))
    return lowerTally(tally);
  if (auto settle = dyn_cast<SettleOp>(op))
    return lowerSettle(settle);
  return lowerSelect(cast<SelectOp>(op));
}

/// Where the row of cells begins, and how many there are (i32).
std::pair<Value, Value> TileLowering::cellsOf(Value memory, Value row) {
  Value count = strideParameter(memory, 0);
  return {byteOffset(pointerParameter(memory), scaled(row, memory, 0)),
          arith::TruncIOp::create(builder, builder.getI32Type(), count)};
}

/// A loop over the numbers from `first` to `first + count - 1` that are below `end`, one behind the other by thread.
void TileLowering::forCells(Value first, int64_t count, Value end, llvm::function_ref<void(Value)> body) {
  Value to = arith::MinSIOp::create(builder, arith::AddIOp::create(builder, first, i32(count)), end);
  readGeometry();
  forRange(arith::AddIOp::create(builder, first, thread), to, i32(warps * 32), body);
}

static Value cellAt(TileLowering &lowering, Value cells, Value number) {
  ImplicitLocOpBuilder &b = lowering.builder;
  Value wide = arith::ExtSIOp::create(b, b.getI64Type(), number);
  return lowering.byteOffset(cells, arith::MulIOp::create(b, wide, lowering.i64(8)));
}

LogicalResult TileLowering::lowerClear(ClearOp op) {
  auto [cells, end] = cellsOf(op.getCells(), scalar(op.getRow()));
  forCells(scalar(op.getFirst()), op.getCount(), end, [&, cells = cells](Value number) {
    LLVM::StoreOp::create(builder, i64(0), cellAt(*this, cells, number), 8);
  });
  return success();
}

LogicalResult TileLowering::lowerSettle(SettleOp op) {
  auto [cells, end] = cellsOf(op.getCells(), scalar(op.getRow()));
  Value sums = byteOffset(pointerParameter(op.getSums()), scaled(scalar(op.getBatch()), op.getSums(), 0));
  sums = byteOffset(sums, scaled(scalar(op.getHead()), op.getSums(), 1));
  forCells(scalar(op.getFirst()), op.getCount(), end, [&, cells = cells](Value number) {
    Value units = LLVM::LoadOp::create(builder, builder.getI64Type(), cellAt(*this, cells, number), 8);
    Value sum = ptx("cvt.rn.f32.u64 $0, $1;", "=f,l", builder.getF32Type(), units);
    sum = arith::MulFOp::create(builder, sum, f32(1 / kUnits));
    LLVM::StoreOp::create(builder, sum, byteOffset(sums, scaled(number, op.getSums(), 2)), 4);
  });
  return success();
}

/// Adds a weight (f32) to the cell of this number (i32), if there is such a cell. Most weights that reach here are
/// some: what is hidden is 0, and nothing is written for it.
void TileLowering::addToCell(Value weight, Value cells, Value number, Value end) {
  Value scaledWeight = arith::MulFOp::create(builder, weight, f32(kUnits));
  Value units = ptx("cvt.rni.u64.f32 $0, $1;", "=l,f", builder.getI64Type(), scaledWeight);
  Value any = arith::CmpIOp::create(builder, arith::CmpIPredicate::ne, units, i64(0));
  Value exists = arith::CmpIOp::create(builder, arith::CmpIPredicate::ult, number, end);
  auto branch = scf::IfOp::create(builder, arith::AndIOp::create(builder, any, exists));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  ptxEffect("red.relaxed.gpu.global.add.u64 [$0], $1;", "l,l", {cellAt(*this, cells, number), units});
}

/// Leaves out weights of rows that do not exist, and what is no number. Returns this thread's first row (i32).
Value TileLowering::existingRows(TallyOp op, Registers &weights) {
  auto type = cast<RankedTensorType>(op.getTile().getType());
  int64_t rowsPerWarp = type.getDimSize(0) / warps, atoms = columnAtoms(type);
  readGeometry();
  Value first = arith::AddIOp::create(builder, arith::MulIOp::create(builder, warp, i32(rowsPerWarp)), group);
  first = arith::AddIOp::create(builder, first, scalar(op.getRow()));
  Registers exists;
  for (int64_t slot = 0; slot < rowsPerWarp / 8; ++slot) {
    Value row = arith::AddIOp::create(builder, first, i32(slot * 8));
    exists.push_back(arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, row, view(op.getRows()).length));
  }
  for (auto [r, weight] : llvm::enumerate(weights)) {
    weight = arith::MaxNumFOp::create(builder, weight, f32(0));
    weight = arith::SelectOp::create(builder, exists[(r / 4 / atoms) * 2 + (r % 4) / 2], weight, f32(0));
  }
  return first;
}

LogicalResult TileLowering::lowerTally(TallyOp op) {
  auto type = cast<RankedTensorType>(op.getTile().getType());
  if (!encodingOf<AccAttr>(type) || !type.getElementType().isF32())
    return op.emitOpError("expects a tile of f32 in the layout of an accumulator, got ") << type;
  Registers weights = registers(op.getTile());
  Value firstRow = existingRows(op, weights);
  if (op.getPer() == SumsPer::key)
    tallyColumns(op, weights);
  else
    tallyDistances(op, weights, firstRow);
  return success();
}

/// Each weight goes to its cell by itself. Positions are looked up for weights that are some: their rows and columns
/// exist.
void TileLowering::tallyDistances(TallyOp op, const Registers &weights, Value firstRow) {
  int64_t atoms = columnAtoms(cast<RankedTensorType>(op.getTile().getType()));
  auto [cells, end] = cellsOf(op.getCells(), scalar(op.getSums()));
  Value firstColumn = arith::AddIOp::create(builder, scalar(op.getCol()), quadColumn);
  for (auto [r, weight] : llvm::enumerate(weights)) {
    Value any = arith::CmpFOp::create(builder, arith::CmpFPredicate::OGT, weight, f32(0));
    auto branch = scf::IfOp::create(builder, any);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(branch.thenBlock()->getTerminator());
    int64_t slot = (r / 4 / atoms) * 2 + (r % 4) / 2, column = (r / 4 % atoms) * 8 + r % 2;
    const LoweredView &rows = view(op.getRows());
    Value token = tokenOf(rows, arith::AddIOp::create(builder, firstRow, i32(slot * 8)));
    Value query = positionOf(rows, token);
    Value key = positionOf(view(op.getCols()), arith::AddIOp::create(builder, firstColumn, i32(column)));
    addToCell(weight, cells, arith::SubIOp::create(builder, query, key), end);
  }
}

namespace {
/// Sums of columns of which a lane has some.
struct ColumnSums {
  Registers sums;
  Value first;    ///< number of the first of them (i32)
  Value isWriter; ///< of the lanes that have the same sums, one (i1); null where each has its own
};
} // namespace

/// Adds up over the eight groups of lanes what each has of all columns: half of the groups keep the sums of half of the
/// columns in each of three steps, and give the others away.
static ColumnSums sumOverGroups(TileLowering &lowering, Registers sums) {
  ImplicitLocOpBuilder &b = lowering.builder;
  auto received = [&](Value value, int64_t distance) {
    return lowering.ptx("shfl.sync.bfly.b32 $0, $1, " + std::to_string(distance) + ", 31, -1;", "=f,f", b.getF32Type(),
                        value, /*effects=*/true);
  };
  Value first = lowering.i32(0), isWriter;
  for (int64_t distance : {16, 8, 4}) {
    Value bit = arith::AndIOp::create(b, lowering.lane, lowering.i32(distance));
    Value isUpper = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, bit, lowering.i32(0));
    if (sums.size() % 2) {
      for (Value &sum : sums)
        sum = arith::AddFOp::create(b, sum, received(sum, distance));
      Value isLower = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, bit, lowering.i32(0));
      isWriter = isWriter ? arith::AndIOp::create(b, isWriter, isLower).getResult() : isLower;
      continue;
    }
    size_t half = sums.size() / 2;
    for (size_t i = 0; i < half; ++i) {
      Value kept = arith::SelectOp::create(b, isUpper, sums[half + i], sums[i]);
      Value given = arith::SelectOp::create(b, isUpper, sums[i], sums[half + i]);
      sums[i] = arith::AddFOp::create(b, kept, received(given, distance));
    }
    sums.resize(half);
    Value skipped = arith::SelectOp::create(b, isUpper, lowering.i32(half), lowering.i32(0));
    first = arith::AddIOp::create(b, first, skipped);
  }
  return {sums, first, isWriter};
}

/// Each column is added up over the rows of its warp first.
void TileLowering::tallyColumns(TallyOp op, const Registers &weights) {
  int64_t atoms = columnAtoms(cast<RankedTensorType>(op.getTile().getType()));
  Registers ofLane(atoms * 2);
  for (auto [r, weight] : llvm::enumerate(weights)) {
    Value &sum = ofLane[(r / 4 % atoms) * 2 + r % 2];
    sum = sum ? arith::AddFOp::create(builder, sum, weight).getResult() : weight;
  }
  auto [sums, first, isWriter] = sumOverGroups(*this, ofLane);
  auto [cells, end] = cellsOf(op.getCells(), scalar(op.getSums()));
  if (isWriter)
    end = arith::SelectOp::create(builder, isWriter, end, i32(0));
  const LoweredView &keys = view(op.getCols());
  Value column = arith::AddIOp::create(builder, scalar(op.getCol()), quadColumn);
  if (keys.index)
    column = arith::AddIOp::create(builder, column, keys.index);
  for (size_t i = 0; i != sums.size(); ++i) { // sum n is of column n div 2 * 8 + n mod 2
    Value number = arith::AddIOp::create(builder, first, i32(i));
    Value atom = arith::ShLIOp::create(builder, arith::ShRUIOp::create(builder, number, i32(1)), i32(3));
    Value place = arith::AddIOp::create(builder, atom, arith::AndIOp::create(builder, number, i32(1)));
    addToCell(sums[i], cells, arith::AddIOp::create(builder, column, place), end);
  }
}

} // namespace attn::tile
