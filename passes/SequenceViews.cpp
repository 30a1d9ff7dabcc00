// SPDX-License-Identifier: Apache-2.0
// Views of sequences, made of the arguments of a kernel.
#include "passes/SequenceViews.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Supported.h"

using namespace mlir;

namespace attn {

Value SequenceViews::index(int64_t value) { return arith::ConstantIndexOp::create(builder, value); }

Value SequenceViews::sizeOf(Value memory, int64_t dimension) {
  auto type = cast<MemRefType>(memory.getType());
  if (!type.isDynamicDim(dimension))
    return index(type.getDimSize(dimension));
  return memref::DimOp::create(builder, memory, dimension);
}

Value SequenceViews::memoryOf(Value sequence, bool values) { return arguments.lookup(tensorOf(sequence, values)); }

Value SequenceViews::lengthOf(Value sequence, Value batch) {
  Value most = sizeOf(memoryOf(sequence, false), 1);
  auto dense = sequence.getDefiningOp<DenseOp>();
  if (!dense || !dense.getLens())
    return most;
  Value loaded = memref::LoadOp::create(builder, arguments.lookup(dense.getLens()), batch);
  Value length = loaded;
  if (loaded.getType().isInteger(64)) { // compare before narrowing: a wild length must not wrap
    Value wideMost = arith::IndexCastOp::create(builder, loaded.getType(), most);
    length = arith::MinSIOp::create(builder, loaded, wideMost);
    length = arith::MaxSIOp::create(builder, length, arith::ConstantIntOp::create(builder, loaded.getType(), 0));
    return arith::IndexCastOp::create(builder, builder.getIndexType(), length);
  }
  length = arith::IndexCastOp::create(builder, builder.getIndexType(), loaded);
  length = arith::MinSIOp::create(builder, length, most);
  return arith::MaxSIOp::create(builder, length, index(0));
}

Value SequenceViews::viewOf(Value sequence, bool values, Value batch, Value head, Value length, Value position,
                            int64_t packed) {
  return viewOfMemory(memoryOf(sequence, values), batch, head, length, position, packed);
}

Value SequenceViews::viewOfMemory(Value memory, Value batch, Value head, Value length, Value position, int64_t packed) {
  auto type = cast<MemRefType>(memory.getType());
  int64_t columns = type.getRank() == 4 ? type.getDimSize(3) : 1;
  auto view = tile::ViewType::get(builder.getContext(), columns, type.getElementType());
  return tile::ViewOp::create(builder, view, memory, batch, head, length, packed, /*index=*/Value(), position,
                              /*positions=*/Value(), /*row_of=*/Value(), /*starts=*/Value(), /*table=*/Value());
}

} // namespace attn
