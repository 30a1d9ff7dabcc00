// SPDX-License-Identifier: Apache-2.0
// Views of sequences, made of the arguments of a kernel.
#include "passes/SequenceViews.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attn {

Value SequenceViews::index(int64_t value) { return arith::ConstantIndexOp::create(builder, value); }

Value SequenceViews::sizeOf(Value memory, int64_t dimension) {
  auto type = cast<MemRefType>(memory.getType());
  if (!type.isDynamicDim(dimension))
    return index(type.getDimSize(dimension));
  return memref::DimOp::create(builder, memory, dimension);
}

/// An integer of a list of the kernel's, as an index. With `most` it is clamped to [0, most]: before it is narrowed,
/// because a wild number of 64 bits must not wrap.
Value SequenceViews::load(Value list, ValueRange place, Value most) {
  Value loaded = memref::LoadOp::create(builder, arguments.lookup(list), place);
  bool wide = loaded.getType().isInteger(64);
  if (!most)
    return arith::IndexCastOp::create(builder, builder.getIndexType(), loaded);
  if (wide) {
    Value wideMost = arith::IndexCastOp::create(builder, loaded.getType(), most);
    loaded = arith::MinSIOp::create(builder, loaded, wideMost);
    loaded = arith::MaxSIOp::create(builder, loaded, arith::ConstantIntOp::create(builder, loaded.getType(), 0));
    return arith::IndexCastOp::create(builder, builder.getIndexType(), loaded);
  }
  Value number = arith::IndexCastOp::create(builder, builder.getIndexType(), loaded);
  number = arith::MinSIOp::create(builder, number, most);
  return arith::MaxSIOp::create(builder, number, index(0));
}

Value SequenceViews::countOf(Value sequence) {
  Operation *maker = sequence.getDefiningOp();
  if (!maker)
    return sizeOf(arguments.lookup(sequence), 0);
  return TypeSwitch<Operation *, Value>(maker)
      .Case([&](RaggedOp op) -> Value {
        return arith::SubIOp::create(builder, sizeOf(arguments.lookup(op.getIndptr()), 0), index(1));
      })
      .Case([&](PagesOp op) { return sizeOf(arguments.lookup(op.getTable()), 0); })
      .Case([&](DenseOp op) { return countOf(op.getTensors().front()); })
      .Case([&](AtOp op) { return countOf(op.getOf()); })
      .Case([&](ShareOp op) { return op.getRows() ? sizeOf(arguments.lookup(op.getRows()), 0) : countOf(op.getOf()); })
      .Case([&](ConcatOp op) { return countOf(op.getParts().front()); });
}

RaggedOp packingOf(Value queries) {
  while (auto at = queries.getDefiningOp<AtOp>())
    queries = at.getOf();
  return queries.getDefiningOp<RaggedOp>();
}

Value SequenceViews::blocksOf(RaggedOp packing, int64_t rows, int64_t ofToken) {
  Value all = sizeOf(arguments.lookup(packing.getTensors().front()), 0);
  if (ofToken != 1)
    all = arith::MulIOp::create(builder, all, index(ofToken));
  Value whole = arith::FloorDivSIOp::create(builder, all, index(rows));
  return arith::AddIOp::create(builder, whole, countOf(packing.getSeq()));
}

tile::LocateOp SequenceViews::locate(RaggedOp packing, Value block, int64_t rows, int64_t ofToken) {
  return tile::LocateOp::create(builder, builder.getIndexType(), builder.getIndexType(), block,
                                arguments.lookup(packing.getIndptr()), rows, ofToken);
}

//===-- how many entries there can be --------------------------------------------===//

Value SequenceViews::roundedUp(Value length, int64_t step) {
  Value tiles = arith::CeilDivUIOp::create(builder, length, index(step));
  return arith::MulIOp::create(builder, tiles, index(step));
}

Value SequenceViews::capacityOf(Value sequence, int64_t step) {
  Operation *maker = sequence.getDefiningOp();
  if (!maker)
    return sizeOf(arguments.lookup(sequence), 1);
  return TypeSwitch<Operation *, Value>(maker)
      .Case([&](DenseOp op) { return capacityOf(op.getTensors().front(), step); })
      .Case([&](RaggedOp op) { return sizeOf(arguments.lookup(op.getTensors().front()), 0); })
      .Case([&](PagesOp op) -> Value {
        Value table = arguments.lookup(op.getTable());
        if (cast<MemRefType>(table.getType()).getRank() != 2)
          return Value();
        Value size = sizeOf(arguments.lookup(op.getPools().front()), 1);
        return arith::MulIOp::create(builder, sizeOf(table, 1), size);
      })
      .Case([&](ShareOp op) {
        bool byEntry = op.getRows() && cast<RankedTensorType>(op.getRows().getType()).getRank() == 2;
        return byEntry ? sizeOf(arguments.lookup(op.getRows()), 1) : capacityOf(op.getOf(), step);
      })
      .Case([&](AtOp op) { return capacityOf(op.getOf(), step); })
      .Case([&](ConcatOp op) {
        Value all;
        for (Value part : op.getParts()) {
          Value one = capacityOf(part, step);
          if (!one)
            return Value();
          one = roundedUp(one, step);
          all = all ? arith::AddIOp::create(builder, all, one).getResult() : one;
        }
        return all;
      });
}

Value SequenceViews::lengthInTiles(ArrayRef<SequencePart> parts, int64_t step) {
  Value all = parts.front().length;
  if (parts.size() == 1) // the last tile need not be whole
    return all;
  all = roundedUp(all, step);
  for (const SequencePart &part : parts.drop_front())
    all = arith::AddIOp::create(builder, all, roundedUp(part.length, step));
  return all;
}

//===-- where entries lie ----------------------------------------------------===//

SequenceViews::Parts SequenceViews::partsOf(Value sequence, Value batch, Value batches) {
  Operation *maker = sequence.getDefiningOp();
  if (!maker)
    return partsOfDense(sequence, Value(), batch);
  return TypeSwitch<Operation *, Parts>(maker)
      .Case([&](DenseOp op) { return partsOfDense(op.getTensors(), op.getLens(), batch); })
      .Case([&](RaggedOp op) { return partsOfRagged(op, batch); })
      .Case([&](PagesOp op) { return partsOfPages(op, batch); })
      .Case([&](ShareOp op) { return partsOfShare(op, batch, batches); })
      .Case([&](AtOp op) { return partsOfAt(op, batch, batches); })
      .Case([&](ConcatOp op) {
        Parts all;
        for (Value part : op.getParts())
          llvm::append_range(all, partsOf(part, batch, batches));
        return all;
      });
}

SequenceViews::Parts SequenceViews::partsOfDense(ValueRange tensors, Value lens, Value batch) {
  SequencePart part;
  part.keys = arguments.lookup(tensors.front());
  part.values = arguments.lookup(tensors.back());
  part.batch = batch;
  part.length = sizeOf(part.keys, 1);
  if (lens)
    part.length = load(lens, batch, part.length);
  return {part};
}

/// From where it begins to where the next one does. What would begin outside the tensor is empty.
SequenceViews::Parts SequenceViews::partsOfRagged(RaggedOp op, Value batch) {
  SequencePart part;
  part.keys = arguments.lookup(op.getTensors().front());
  part.values = arguments.lookup(op.getTensors().back());
  part.batch = batch;
  part.starts = arguments.lookup(op.getIndptr());
  Value total = sizeOf(part.keys, 0);
  Value next = arith::AddIOp::create(builder, batch, index(1));
  Value begin = load(op.getIndptr(), batch, total), end = load(op.getIndptr(), next, total);
  part.length = arith::MaxSIOp::create(builder, arith::SubIOp::create(builder, end, begin), index(0));
  part.first = begin;
  return {part};
}

SequenceViews::Parts SequenceViews::partsOfPages(PagesOp op, Value batch) {
  SequencePart part;
  part.keys = arguments.lookup(op.getPools().front());
  part.values = arguments.lookup(op.getPools().back());
  part.batch = batch;
  part.table = arguments.lookup(op.getTable());
  int64_t pageSize = cast<MemRefType>(part.keys.getType()).getDimSize(1);
  Value size = index(pageSize);
  if (cast<MemRefType>(part.table.getType()).getRank() == 2) {
    Value most = arith::MulIOp::create(builder, sizeOf(part.table, 1), size);
    part.length = load(op.getLens(), batch, most);
    return {part};
  }
  // Runs hold as many pages as they say: no more are counted than the length asks for.
  constexpr int64_t kMostEntries = int64_t(1) << 30;
  Value wanted = load(op.getLens(), batch, index(kMostEntries - 1));
  Value pages = arith::CeilDivSIOp::create(builder, wanted, size);
  Value held = tile::HeldOp::create(builder, builder.getIndexType(), part.table, batch, pages);
  part.length = arith::MinSIOp::create(builder, wanted, arith::MulIOp::create(builder, held, size));
  return {part};
}

SequenceViews::Parts SequenceViews::partsOfShare(ShareOp op, Value batch, Value batches) {
  Value rows = op.getRows();
  if (!rows) {
    Value theirs = countOf(op.getOf());
    Value sharing = arith::DivUIOp::create(builder, batches, theirs);
    return partsOf(op.getOf(), arith::DivUIOp::create(builder, batch, sharing), theirs);
  }
  if (cast<RankedTensorType>(rows.getType()).getRank() == 1)
    return partsOf(op.getOf(), load(rows, batch), countOf(op.getOf()));
  Parts parts = partsOf(op.getOf(), batch, batches);
  assert(parts.size() == 1 && !parts[0].rowOf && !parts[0].position && "anything else is refused");
  parts[0].rowOf = arguments.lookup(rows);
  parts[0].length = arith::MinSIOp::create(builder, parts[0].length, sizeOf(parts[0].rowOf, 1));
  return parts;
}

SequenceViews::Parts SequenceViews::partsOfAt(AtOp op, Value batch, Value batches) {
  Parts parts = partsOf(op.getOf(), batch, batches);
  if (op.getFirst()) {
    Value position = load(op.getFirst(), batch);
    for (SequencePart &part : parts) {
      part.position = position;
      part.positions = part.positionsBatch = Value();
      position = arith::AddIOp::create(builder, position, part.length);
    }
    return parts;
  }
  assert(parts.size() == 1 && "a list of positions belongs to one place");
  SequencePart &part = parts[0];
  part.position = Value();
  part.positions = arguments.lookup(op.getPositions());
  part.positionsBatch = Value();
  if (part.starts)
    return parts;
  if (part.rowOf || part.batch != batch)
    part.positionsBatch = batch;
  part.length = arith::MinSIOp::create(builder, part.length, sizeOf(part.positions, 1));
  return parts;
}

//===-- views ------------------------------------------------------------------===//

Value SequenceViews::view(Value memory, const SequencePart &part, Value head, Value index, int64_t packed) {
  auto type = cast<MemRefType>(memory.getType());
  int64_t withColumns = (part.part ? 1 : 0) + (part.starts || !part.batch ? 3 : 4);
  int64_t columns = type.getRank() == withColumns ? type.getShape().back() : 1;
  auto view = tile::ViewType::get(builder.getContext(), columns, type.getElementType());
  Value rows = part.length;
  if (packed != 1)
    rows = arith::MulIOp::create(builder, rows, this->index(packed));
  Value batch = part.batch ? part.batch : this->index(0);
  return tile::ViewOp::create(builder, view, memory, batch, head, rows, packed, part.part, !part.batch, index,
                              part.position, part.positions, part.positionsBatch, part.rowOf, part.starts, part.table);
}

Value SequenceViews::viewOf(const SequencePart &part, bool values, Value head, Value index) {
  return view(values ? part.values : part.keys, part, head, index, /*packed=*/1);
}

Value SequenceViews::viewOfQuery(const SequencePart &query, Value head, int64_t packed) {
  return view(query.keys, query, head, Value(), packed);
}

Value SequenceViews::viewOfResult(Value memory, const SequencePart &query, Value head, int64_t packed) {
  SequencePart rows;
  rows.batch = query.batch;
  rows.part = query.part;
  rows.length = query.length;
  rows.starts = query.starts;
  return view(memory, rows, head, Value(), packed);
}

} // namespace attn
