// SPDX-License-Identifier: Apache-2.0
// Views: where rows lie, and what they are called.
#include "passes/TileLowering.h"

using namespace mlir;

namespace attn::tile {

/// A view that is only stored to is made where it is stored to: made before the loops, it would cost registers there.
LogicalResult TileLowering::lowerView(ViewOp op) {
  if (llvm::any_of(op->getUsers(), [](Operation *user) { return !isa<StoreOp>(user); }))
    return makeView(op);
  return success();
}

/// The bytes from one entry of a tensor to the one `index` (i32 or i64) further on in a dimension.
Value TileLowering::scaled(Value index, Value memory, int64_t dimension) {
  int64_t bytes = std::max<int64_t>(1, cast<MemRefType>(memory.getType()).getElementTypeBitWidth() / 8);
  Value wide = index;
  if (!wide.getType().isInteger(64))
    wide = arith::ExtSIOp::create(builder, builder.getI64Type(), index);
  Value elements = arith::MulIOp::create(builder, wide, strideParameter(memory, dimension));
  return arith::MulIOp::create(builder, elements, i64(bytes));
}

LogicalResult TileLowering::makeView(ViewOp op) {
  bool gathered = op.getRowOf() || op.getTable();
  auto base = cast<MemRefType>(op.getBase().getType());
  int64_t bytes = base.getElementTypeBitWidth() / 8;
  LoweredView view;
  view.columns = op.getView().getType().getColumns();
  view.element = base.getElementType();
  view.batch = scalar(op.getBatch());
  view.packed = op.getPacked();
  view.head = scalar(op.getHead());
  if (view.packed > 1)
    view.head = arith::MulIOp::create(builder, view.head, i32(view.packed));
  view.length = scalar(op.getLength());
  view.index = op.getIndex() ? scalar(op.getIndex()) : Value();
  view.position = op.getPosition() ? scalar(op.getPosition()) : Value();
  view.positions = op.getPositions();
  view.gathered = gathered;
  if (gathered || op.getPositions())
    view.lists = op;
  if (onlyCopiedByBoxes(op.getBase())) {
    view.uniformPoint = i32(0).getDefiningOp();
    views[op.getView()] = view;
    return success();
  }
  int64_t ofRow = op.outerDims();
  Value offset = scaled(view.head, op.getBase(), ofRow + 1);
  if (op.getPart())
    offset = arith::AddIOp::create(builder, offset, scaled(scalar(op.getPart()), op.getBase(), 0));
  if (op.getStarts() && !gathered)
    offset = arith::AddIOp::create(builder, offset, scaled(lookUp(op.getStarts(), view.batch, {}), op.getBase(), 0));
  else if (!gathered && !op.getAlone())
    offset = arith::AddIOp::create(builder, offset, scaled(view.batch, op.getBase(), ofRow - 1));
  view.address = byteOffset(pointerParameter(op.getBase()), offset);
  view.rowStride = strideParameter(op.getBase(), ofRow);
  view.rowBytes = arith::MulIOp::create(builder, view.rowStride, i64(bytes));
  if (view.packed > 1)
    view.headBytes = arith::MulIOp::create(builder, strideParameter(op.getBase(), ofRow + 1), i64(bytes));
  view.uniformPoint = i32(0).getDefiningOp();
  views[op.getView()] = view;
  return success();
}

// Rows are counted from 0, so divisions of them are those of unsigned numbers: a multiplication and a shift.

Value TileLowering::tokenOf(const LoweredView &view, Value row) {
  return view.packed == 1 ? row : arith::DivUIOp::create(builder, row, i32(view.packed)).getResult();
}

Value TileLowering::headOf(const LoweredView &view, Value row) {
  if (view.packed == 1)
    return view.head;
  return arith::AddIOp::create(builder, view.head, arith::RemUIOp::create(builder, row, i32(view.packed)));
}

Value TileLowering::addressOf(const LoweredView &view, Value row, Value exists) {
  auto step = [&](Value from, Value number, Value distance) {
    Value wide = arith::ExtSIOp::create(builder, builder.getI64Type(), number);
    return byteOffset(from, arith::MulIOp::create(builder, wide, distance));
  };
  Value number = tokenOf(view, row);
  if (view.entries) {
    number = entryOf(view, number, exists);
    if (Value first = view.position ? view.position : view.index)
      number = arith::SubIOp::create(builder, number, first);
    // No memory is read but that of the view, whatever the list says.
    Value last = arith::SubIOp::create(builder, view.entries->rows, i32(1));
    number = arith::MaxSIOp::create(builder, arith::MinSIOp::create(builder, number, last), i32(0));
    if (!view.entries->ofGathered)
      return step(view.address, number, view.rowBytes);
    return listedAddress(view, number, exists);
  }
  Value token = view.gathered ? listedAddress(view, number, exists) : step(view.address, number, view.rowBytes);
  if (view.packed == 1)
    return token;
  return step(token, arith::RemUIOp::create(builder, row, i32(view.packed)), view.headBytes);
}

//===-- rows that are looked up ----------------------------------------------------===//

/// An integer of a list as i32, or as i64 where the list has such; where `exists` (i1) does not hold, 0, and nothing is
/// read. Null `exists` is true.
Value TileLowering::lookUp(Value list, ValueRange place, Value exists) {
  return loadInteger(cast<MemRefType>(list.getType()).getElementType(), rowAddressIn(list, place), exists);
}

/// Where the elements of a tensor with these first indices begin.
Value TileLowering::rowAddressIn(Value list, ValueRange row) {
  Value address = pointerParameter(list);
  for (auto [dimension, index] : llvm::enumerate(row))
    address = byteOffset(address, scaled(index, list, dimension));
  return address;
}

Value TileLowering::loadInteger(Type type, Value address, Value exists) {
  bool wide = type.isInteger(64);
  if (!exists)
    return LLVM::LoadOp::create(builder, type, address, wide ? 8 : 4);
  Value flag = arith::ExtUIOp::create(builder, builder.getI32Type(), exists);
  std::string width = wide ? "b64" : "b32";
  return ptx("{\n\t.reg .pred exists;\n\tsetp.ne.b32 exists, $2, 0;\n\tmov." + width + " $0, 0;\n\t@exists ld.global." +
                 width + " $0, [$1];\n\t}",
             wide ? "=&l,l,r" : "=&r,l,r", type, {address, flag});
}

/// What the list of a view says of one of its rows (i32): a position, far from which all are alike.
Value TileLowering::entryOf(const LoweredView &view, Value row, Value exists) {
  Type type = cast<MemRefType>(view.positions.getType()).getElementType();
  Value wideRow = arith::ExtSIOp::create(builder, builder.getI64Type(), row);
  Value address = byteOffset(view.entries->address, arith::MulIOp::create(builder, wideRow, view.entries->stride));
  Value entry = loadInteger(type, address, exists);
  if (!type.isInteger(64))
    return entry;
  constexpr int64_t far = int64_t(1) << 30;
  entry = arith::MaxSIOp::create(builder, arith::MinSIOp::create(builder, entry, i64(far)), i64(-far));
  return arith::TruncIOp::create(builder, builder.getI32Type(), entry);
}

/// The page that entries number * page_size and the following of a sequence lie in.
Value TileLowering::pageOf(const LoweredView &view, Value sequence, Value number, Value exists) {
  ViewOp op = view.lists;
  Value table = op.getTable();
  if (cast<MemRefType>(table.getType()).getRank() == 2)
    return lookUp(table, {sequence, number}, exists);
  return findInRuns(table, sequence, number, exists);
}

/// Walks the runs of a sequence until it comes to the page of this number.
Value TileLowering::findInRuns(Value runs, Value sequence, Value number, Value exists) {
  Type type = builder.getI32Type();
  auto narrow = [&](Value value) -> Value {
    return value.getType() == type ? value : arith::TruncIOp::create(builder, type, value).getResult();
  };
  auto search = scf::WhileOp::create(builder, TypeRange{type, type, type}, ValueRange{i32(0), number, i32(0)});
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types(3, type);
  SmallVector<Location> places(3, builder.getLoc());
  Block *before = builder.createBlock(&search.getBefore(), {}, types, places);
  Value run = before->getArgument(0), left = before->getArgument(1);
  Value first = narrow(lookUp(runs, {sequence, run, i32(0)}, exists));
  Value pages = narrow(lookUp(runs, {sequence, run, i32(1)}, exists));
  pages = arith::MaxSIOp::create(builder, pages, i32(0));
  Value page = arith::AddIOp::create(builder, first, left);
  Value further = arith::CmpIOp::create(builder, arith::CmpIPredicate::sge, left, pages);
  further = arith::AndIOp::create(builder, further, exists);
  Value next = arith::AddIOp::create(builder, run, i32(1));
  Value rest = arith::SubIOp::create(builder, left, pages);
  scf::ConditionOp::create(builder, further, ValueRange{next, rest, page});
  Block *after = builder.createBlock(&search.getAfter(), {}, types, places);
  scf::YieldOp::create(builder, after->getArguments());
  return search.getResult(2);
}

/// Where a token's row (i32) of a view whose rows are looked up begins, in its first head. Nothing is looked up for one
/// that does not exist.
Value TileLowering::listedAddress(const LoweredView &view, Value row, Value exists) {
  ViewOp op = view.lists;
  Value base = op.getBase(), sequence = view.batch;
  if (op.getRowOf())
    sequence = lookUp(op.getRowOf(), {view.batch, row}, exists);
  if (op.getStarts()) {
    Value start = lookUp(op.getStarts(), sequence, exists);
    if (start.getType() != row.getType())
      row = arith::ExtSIOp::create(builder, start.getType(), row);
    return byteOffset(view.address, scaled(arith::AddIOp::create(builder, start, row), base, 0));
  }
  if (!op.getTable())
    return byteOffset(byteOffset(view.address, scaled(sequence, base, 0)), scaled(row, base, 1));
  Value size = i32(cast<MemRefType>(base.getType()).getDimSize(1));
  Value number = arith::DivUIOp::create(builder, row, size), inPage = arith::RemUIOp::create(builder, row, size);
  Value page = pageOf(view, sequence, number, exists);
  return byteOffset(byteOffset(view.address, scaled(page, base, 0)), scaled(inPage, base, 1));
}

/// Whether each tile of so many rows lies in one page, where rows are a stride apart. Tiles begin at multiples of their
/// rows.
bool TileLowering::tilesLieInPages(const LoweredView &view, int64_t rows) {
  if (view.entries)
    return false;
  ViewOp op = view.lists;
  return !op.getRowOf() && op.getTable() && cast<MemRefType>(op.getBase().getType()).getDimSize(1) % rows == 0;
}

Value TileLowering::positionOf(const LoweredView &view, Value row) {
  if (view.entries)
    return entryOf(view, row, {});
  if (view.positions) {
    ViewOp op = view.lists;
    Value batch = op.getPositionsBatch() ? scalar(op.getPositionsBatch()) : view.batch;
    if (op.getRowOf() && !op.getPositionsBatch())
      batch = lookUp(op.getRowOf(), {view.batch, row}, {});
    Value position;
    if (op.getStarts()) {
      Value start = lookUp(op.getStarts(), batch, {});
      if (start.getType() != row.getType())
        row = arith::ExtSIOp::create(builder, start.getType(), row);
      position = lookUp(view.positions, arith::AddIOp::create(builder, start, row).getResult(), {});
    } else {
      position = lookUp(view.positions, {batch, row}, {});
    }
    return position.getType().isInteger(64)
               ? arith::TruncIOp::create(builder, builder.getI32Type(), position).getResult()
               : position;
  }
  Value first = view.position ? view.position : view.index;
  return first ? arith::AddIOp::create(builder, row, first).getResult() : row;
}

//===-- scalars of sequences ---------------------------------------------------------===//

/// The last sequence b with starts[b] * packed div step + b <= number, by bisection; the blocks counted from there.
LogicalResult TileLowering::lowerList(LocateOp op) {
  Type type = builder.getI32Type();
  Value number = scalar(op.getNumber());
  auto firstBlock = [&](Value sequence) -> Value {
    Value start = lookUp(op.getStarts(), sequence, {});
    if (start.getType() != type)
      start = arith::TruncIOp::create(builder, type, start);
    if (op.getPacked() != 1)
      start = arith::MulIOp::create(builder, start, i32(op.getPacked()));
    Value blocks = arith::DivUIOp::create(builder, start, i32(op.getStep()));
    return arith::AddIOp::create(builder, blocks, sequence);
  };
  Value ends = sizeParameter(op.getStarts(), 0);
  Value sequences = arith::SubIOp::create(builder, ends, i32(1));
  auto search = scf::WhileOp::create(builder, TypeRange{type, type}, ValueRange{i32(0), sequences});
  {
    OpBuilder::InsertionGuard guard(builder);
    SmallVector<Type> types(2, type);
    SmallVector<Location> places(2, builder.getLoc());
    Block *before = builder.createBlock(&search.getBefore(), {}, types, places);
    Value low = before->getArgument(0), high = before->getArgument(1);
    Value more =
        arith::CmpIOp::create(builder, arith::CmpIPredicate::sgt, high, arith::AddIOp::create(builder, low, i32(1)));
    scf::ConditionOp::create(builder, more, before->getArguments());
    Block *after = builder.createBlock(&search.getAfter(), {}, types, places);
    low = after->getArgument(0), high = after->getArgument(1);
    Value middle = arith::ShRUIOp::create(builder, arith::AddIOp::create(builder, low, high), i32(1));
    Value above = arith::CmpIOp::create(builder, arith::CmpIPredicate::sgt, firstBlock(middle), number);
    Value newLow = arith::SelectOp::create(builder, above, low, middle);
    Value newHigh = arith::SelectOp::create(builder, above, middle, high);
    scf::YieldOp::create(builder, ValueRange{newLow, newHigh});
  }
  Value found = search.getResult(0);
  // In front of the first sequence there are no rows: such a block lies far behind the end.
  constexpr int64_t kMostRows = int64_t(1) << 30;
  Value block = arith::SubIOp::create(builder, number, firstBlock(found));
  scalars[op.getBatch()] = found;
  scalars[op.getBlock()] = arith::MinUIOp::create(builder, block, i32(kMostRows / op.getStep()));
  return success();
}

LogicalResult TileLowering::lowerList(HeldOp op) {
  Type type = builder.getI32Type();
  Value most = scalar(op.getMost()), runs = sizeParameter(op.getRuns(), 1);
  auto count = scf::WhileOp::create(builder, TypeRange{type, type}, ValueRange{i32(0), i32(0)});
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types(2, type);
  SmallVector<Location> places(2, builder.getLoc());
  Block *before = builder.createBlock(&count.getBefore(), {}, types, places);
  Value more = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, before->getArgument(0), runs);
  Value short_ = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, before->getArgument(1), most);
  scf::ConditionOp::create(builder, arith::AndIOp::create(builder, more, short_), before->getArguments());
  Block *after = builder.createBlock(&count.getAfter(), {}, types, places);
  Value run = after->getArgument(0), pages = after->getArgument(1);
  Value held = lookUp(op.getRuns(), {scalar(op.getBatch()), run, i32(1)}, {});
  Value left = arith::SubIOp::create(builder, most, pages);
  if (held.getType() != type) { // compared before it is narrowed
    held = arith::MinSIOp::create(builder, held, arith::ExtSIOp::create(builder, held.getType(), left));
    held = arith::MaxSIOp::create(builder, held, i64(0));
    held = arith::TruncIOp::create(builder, type, held);
  } else {
    held = arith::MaxSIOp::create(builder, arith::MinSIOp::create(builder, held, left), i32(0));
  }
  scf::YieldOp::create(
      builder, ValueRange{arith::AddIOp::create(builder, run, i32(1)), arith::AddIOp::create(builder, pages, held)});
  scalars[op.getPages()] = count.getResult(1);
  return success();
}

LogicalResult TileLowering::lowerView(GatherOp op) {
  LoweredView some = view(op.getView());
  Value list = op.getList();
  int64_t bytes = cast<MemRefType>(list.getType()).getElementTypeBitWidth() / 8;
  SmallVector<Value> place;
  for (Value index : op.getRow())
    place.push_back(scalar(index));
  place.push_back(scalar(op.getFirst()));
  Value stride = arith::MulIOp::create(builder, strideParameter(list, op.getRow().size()), i64(bytes));
  some.entries = {rowAddressIn(list, place), stride, some.length, some.gathered};
  some.length = scalar(op.getLength());
  some.positions = list;
  some.gathered = true;
  views[op.getSome()] = some;
  return success();
}

LogicalResult TileLowering::lowerColumns(ColumnsOp op) {
  auto source = op.getView().getDefiningOp<ViewOp>();
  if (!source)
    return op.emitOpError("expects columns of a tile.view");
  if (!views.contains(op.getView()) && failed(makeView(source)))
    return failure();
  LoweredView some = view(op.getView());
  some.columns = op.getSome().getType().getColumns();
  Value first = arith::ExtSIOp::create(builder, builder.getI64Type(), scalar(op.getFirst()));
  int64_t bytes = some.element.getIntOrFloatBitWidth() / 8;
  some.address = byteOffset(some.address, arith::MulIOp::create(builder, first, i64(bytes)));
  views[op.getSome()] = some;
  return success();
}

/// Strides follow from the sizes; what a launch needs is said as an expression of sizes.
LogicalResult TileLowering::lowerWorkspace(WorkspaceOp op) {
  auto type = cast<MemRefType>(op.getMemory().getType());
  SmallVector<Value> sizes;
  std::string bytes = std::to_string(type.getElementTypeBitWidth() / 8);
  auto dynamic = op.getSizes().begin();
  for (int64_t size : type.getShape()) {
    bool known = !ShapedType::isDynamic(size);
    bytes += " * " + (known ? std::to_string(size) : describe(*dynamic));
    sizes.push_back(known ? i32(size) : scalar(*dynamic));
    if (!known)
      ++dynamic;
  }
  Registers strides(sizes.size(), i64(1));
  for (size_t d = sizes.size(); d-- > 1;)
    strides[d - 1] =
        arith::MulIOp::create(builder, strides[d], arith::ExtUIOp::create(builder, builder.getI64Type(), sizes[d]));
  workspaceStrides[op.getMemory()] = strides;
  if (std::string offset = describe(op.getOffset()); offset != "0")
    bytes = offset + " + " + bytes;
  // An offset that is a sum is where another workspace ends, so this one ends behind it.
  auto other = target->getAttrOfType<StringAttr>("attn.workspace");
  if (other && !op.getOffset().getDefiningOp<arith::AddIOp>())
    bytes = "max(" + other.str() + ", " + bytes + ")";
  target->setAttr("attn.workspace", builder.getStringAttr(bytes));
  return success();
}

} // namespace attn::tile
