// SPDX-License-Identifier: Apache-2.0
// Rings and global memory: asynchronous copies, awaits, stores of results.
#include "passes/TileLowering.h"

#include "llvm/Support/FormatVariadic.h"
#include <numeric>

using namespace mlir;

namespace attn::tile {

Value TileLowering::byteOffset(Value pointer, Value bytes) {
  return LLVM::GEPOp::create(builder, pointer.getType(), builder.getI8Type(), pointer, ArrayRef<LLVM::GEPArg>{bytes});
}

LogicalResult TileLowering::lowerRing(RingOp op) {
  RingType type = op.getRing().getType();
  if (roles)
    sharedBytes = llvm::alignTo(sharedBytes, 1024); // descriptors and boxes know swizzles that begin at such an address
  ringOffsets[op.getRing()] = sharedBytes;
  sharedBytes += type.getStages() * sharedBytesOf(type.getTile());
  return success();
}

/// The threads of a program copy a tile in chunks of 16 bytes: `lanesPerRow` neighbouring threads along a row, so that
/// they read whole sectors, and rows over the rest.
namespace {
struct CopyShape {
  int64_t chunksPerRow, lanesPerRow, rowsPerPass, passes, chunkSteps;
  bool ragged; ///< the last pass has fewer rows than threads

  CopyShape(RankedTensorType tile, int64_t threads) {
    int64_t rows = tile.getDimSize(0);
    chunksPerRow = tile.getDimSize(1) / 8;
    lanesPerRow = std::min(std::gcd<int64_t>(chunksPerRow, 8), threads / 8); // a pass has eight rows at least
    rowsPerPass = threads / lanesPerRow;
    passes = (rows + rowsPerPass - 1) / rowsPerPass;
    chunkSteps = chunksPerRow / lanesPerRow;
    ragged = rows % rowsPerPass != 0;
  }
};
} // namespace

/// The buffer of fill `number`; with a single stage its address is a constant.
SharedBuffer TileLowering::bufferOf(Value ring, Value number) {
  RingType type = cast<RingType>(ring.getType());
  SharedBuffer buffer{sharedBase, ringOffsets[ring]};
  if (type.getStages() > 1) {
    Value stage = arith::RemUIOp::create(builder, scalar(number), i32(type.getStages()));
    Value bytes = arith::MulIOp::create(builder, stage, i32(sharedBytesOf(type.getTile())));
    buffer.base = arith::AddIOp::create(builder, buffer.base, bytes);
  }
  return buffer;
}

/// Eight 16-bit elements from memory that need not be aligned, as four registers; zeros if they do not exist.
static SmallVector<Value> loadElements(TileLowering &lowering, Value from, Value exists) {
  ImplicitLocOpBuilder &b = lowering.builder;
  Type i16 = b.getI16Type(), i32 = b.getI32Type();
  auto loaded = scf::IfOp::create(b, TypeRange{i32, i32, i32, i32}, exists, /*withElse=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&loaded.getThenRegion().front());
  SmallVector<Value> words;
  for (int64_t i = 0; i < 8; i += 2) {
    Value half[2];
    for (int64_t j = 0; j < 2; ++j) {
      Value bits = LLVM::LoadOp::create(b, i16, lowering.byteOffset(from, lowering.i64((i + j) * 2)), 2);
      half[j] = arith::ExtUIOp::create(b, i32, bits);
    }
    Value high = arith::ShLIOp::create(b, half[1], lowering.i32(16));
    words.push_back(arith::OrIOp::create(b, half[0], high));
  }
  scf::YieldOp::create(b, words);
  b.setInsertionPointToStart(&loaded.getElseRegion().front());
  Value zero = lowering.i32(0);
  scf::YieldOp::create(b, ValueRange{zero, zero, zero, zero});
  return llvm::to_vector(ValueRange(loaded.getResults()));
}

/// The copy for rows that are not 16-byte aligned: element by element, and a loop, because its code should be small.
/// Each thread takes chunks of eight elements, a program's width apart.
LogicalResult TileLowering::fillByElements(FillOp op) {
  RankedTensorType tile = cast<RingType>(op.getRing().getType()).getTile();
  const LoweredView &from = view(op.getView());
  int64_t swizzle = encodingOf<SharedAttr>(tile).getSwizzle(), rows = tile.getDimSize(0);
  int64_t chunksPerRow = tile.getDimSize(1) / 8, chunksPerSlab = swizzle / 16;
  int64_t shift = swizzle == 128 ? 0 : swizzle == 64 ? 1 : 2;
  SharedBuffer buffer = bufferOf(op.getRing(), op.getNumber());
  Value left = arith::SubIOp::create(builder, from.length, scalar(op.getAt()));
  if (op.getWhen()) // A fill that does not happen is one of which no row exists.
    left = arith::SelectOp::create(builder, scalar(op.getWhen()), left, i32(0));

  auto loop = scf::ForOp::create(builder, thread, i32(rows * chunksPerRow), i32(warps * 32));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value row = arith::DivUIOp::create(builder, loop.getInductionVar(), i32(chunksPerRow));
  Value chunk = arith::RemUIOp::create(builder, loop.getInductionVar(), i32(chunksPerRow));
  Value exists = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, row, left);
  Value inside = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, chunk, i32(from.columns / 8));
  exists = arith::AndIOp::create(builder, exists, inside);
  Value source = addressOf(from, arith::AddIOp::create(builder, row, scalar(op.getAt())), exists);
  Value bytes = arith::ExtUIOp::create(builder, builder.getI64Type(), arith::MulIOp::create(builder, chunk, i32(16)));
  SmallVector<Value> words = loadElements(*this, byteOffset(source, bytes), exists);

  Value bits = arith::ShRUIOp::create(builder, row, i32(shift));
  bits = arith::AndIOp::create(builder, bits, i32(chunksPerSlab - 1));
  Value slab = arith::DivUIOp::create(builder, chunk, i32(chunksPerSlab));
  Value place = arith::AndIOp::create(builder, chunk, i32(chunksPerSlab - 1));
  place = arith::ShLIOp::create(builder, arith::XOrIOp::create(builder, place, bits), i32(4));
  place = arith::AddIOp::create(builder, place, arith::MulIOp::create(builder, slab, i32(rows * swizzle)));
  place = arith::AddIOp::create(builder, place, arith::MulIOp::create(builder, row, i32(swizzle)));
  SmallVector<Value> operands{arith::AddIOp::create(builder, buffer.base, place)};
  llvm::append_range(operands, words);
  ptxEffect("st.shared.v4.b32 [$0+" + std::to_string(buffer.offset) + "], {$1, $2, $3, $4};", "r,r,r,r,r", operands);
  return success();
}

/// Where the global side of fills from a view begins for this thread: its first chunk of row 0.
Value TileLowering::copySource(Value viewValue, int64_t lanesPerRow) {
  Value &known = copySources[viewValue];
  if (known)
    return known;
  const LoweredView &from = view(viewValue);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(from.uniformPoint);
  Value row = arith::DivUIOp::create(builder, threadOnce(), i32(lanesPerRow));
  Value rowWide = arith::ExtUIOp::create(builder, builder.getI64Type(), row);
  Value bytes = laneBytes(lanesPerRow);
  bytes = arith::AddIOp::create(builder, bytes, arith::MulIOp::create(builder, rowWide, from.rowBytes));
  return known = byteOffset(from.address, bytes);
}

/// Where in a row this thread's first chunk is.
Value TileLowering::laneBytes(int64_t lanesPerRow) {
  Value column = arith::RemUIOp::create(builder, threadOnce(), i32(lanesPerRow));
  return arith::ExtUIOp::create(builder, builder.getI64Type(), arith::MulIOp::create(builder, column, i32(16)));
}

/// Where this thread's first chunk of a tile is whose rows are a stride apart, `rowsLeft` (i32) of which exist.
Value TileLowering::tileSource(FillOp op, int64_t lanesPerRow, Value rowBytes, Value rowsLeft) {
  const LoweredView &from = view(op.getView());
  if (!from.gathered) {
    Value at = arith::ExtSIOp::create(builder, builder.getI64Type(), scalar(op.getAt()));
    return byteOffset(copySource(op.getView(), lanesPerRow), arith::MulIOp::create(builder, at, rowBytes));
  }
  Value exists = arith::CmpIOp::create(builder, arith::CmpIPredicate::sgt, rowsLeft, i32(0));
  Value first = addressOf(from, scalar(op.getAt()), exists);
  Value row = arith::DivUIOp::create(builder, threadOnce(), i32(lanesPerRow));
  Value rowWide = arith::ExtUIOp::create(builder, builder.getI64Type(), row);
  Value bytes =
      arith::AddIOp::create(builder, laneBytes(lanesPerRow), arith::MulIOp::create(builder, rowWide, rowBytes));
  return byteOffset(first, bytes);
}

LogicalResult TileLowering::lowerFill(FillOp op) {
  RingType ring = op.getRing().getType();
  RankedTensorType tile = ring.getTile();
  const LoweredView &from = view(op.getView());
  if (from.element.getIntOrFloatBitWidth() != 16)
    return op.emitOpError("expects rows of a 16-bit type, got ") << from.element;
  if (roles)
    return fillByBoxes(op);
  if (!wideCopies)
    return fillByElements(op);
  CopyShape shape(tile, warps * 32);
  int64_t swizzle = encodingOf<SharedAttr>(tile).getSwizzle(), rows = tile.getDimSize(0);
  int64_t realChunks = from.columns / 8;

  auto laneKey = [&](StringRef what) { return (what + " " + Twine(shape.lanesPerRow)).str(); };
  Value row = once(laneKey("copy row"),
                   [&] { return arith::DivUIOp::create(builder, threadOnce(), i32(shape.lanesPerRow)).getResult(); });
  Value column = once(laneKey("copy column"), [&] {
    return arith::RemUIOp::create(builder, threadOnce(), i32(shape.lanesPerRow)).getResult();
  });
  Value rowsLeft = arith::SubIOp::create(builder, from.length, scalar(op.getAt()));
  if (op.getWhen()) // A fill that does not happen is one of which no row exists.
    rowsLeft = arith::SelectOp::create(builder, scalar(op.getWhen()), rowsLeft, i32(0));
  Value source, passBytes;
  if (from.packed == 1 && (!from.gathered || tilesLieInPages(from, rows))) {
    // The distances of rows and of passes come from a launch argument, which costs no register, at the price of two
    // instructions a fill: with effects, so that they are not computed early and kept over the loop.
    Value rowBytes = ptx("shl.b64 $0, $1, 1;", "=l,l", builder.getI64Type(), from.rowStride, /*effects=*/true);
    source = tileSource(op, shape.lanesPerRow, rowBytes, rowsLeft);
    passBytes = arith::MulIOp::create(builder, rowBytes, i64(shape.rowsPerPass));
  }
  rowsLeft = arith::SubIOp::create(builder, rowsLeft, row);

  SharedBuffer buffer = bufferOf(op.getRing(), op.getNumber());
  int64_t chunksPerSlab = swizzle / 16, shift = swizzle == 128 ? 0 : swizzle == 64 ? 1 : 2;
  // Rows of two passes differ by a multiple of eight, so a thread's swizzle is the same in all of them.
  auto placeOf = [&](int64_t chunkInSlab) {
    return once(llvm::formatv("copy place {0} {1} {2}", swizzle, shape.lanesPerRow, chunkInSlab).str(), [&] {
      Value bits = arith::ShRUIOp::create(builder, row, i32(shift));
      bits = arith::AndIOp::create(builder, bits, i32(chunksPerSlab - 1));
      Value chunk = arith::AddIOp::create(builder, column, i32(chunkInSlab));
      Value place = arith::ShLIOp::create(builder, arith::XOrIOp::create(builder, chunk, bits), i32(4));
      place = arith::AddIOp::create(builder, place, arith::MulIOp::create(builder, row, i32(swizzle)));
      return arith::AddIOp::create(builder, place, sharedBase).getResult();
    });
  };
  auto rowExists = [&](int64_t pass) -> Value {
    return arith::CmpIOp::create(builder, arith::CmpIPredicate::sgt, rowsLeft, i32(pass * shape.rowsPerPass));
  };
  auto copyChunk = [&](int64_t pass, int64_t step) {
    Value exists = rowExists(pass);
    int64_t firstChunk = step * shape.lanesPerRow;
    if (firstChunk + shape.lanesPerRow > realChunks) {
      Value inside = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, column, i32(realChunks - firstChunk));
      exists = arith::AndIOp::create(builder, exists, inside);
    }
    // The lanes of a row take neighbouring chunks of one slab: slabs are a multiple of the lanes wide.
    int64_t slab = firstChunk / chunksPerSlab;
    Value place = placeOf(firstChunk % chunksPerSlab);
    if (buffer.base != sharedBase) // a stage known only at run time
      place = arith::AddIOp::create(builder, place, arith::SubIOp::create(builder, buffer.base, sharedBase));
    int64_t offset = buffer.offset + slab * rows * swizzle + pass * shape.rowsPerPass * swizzle;
    Value size = arith::SelectOp::create(builder, exists, i32(16), i32(0));
    // A source of size 0 is not read; the 16 bytes become zero.
    std::string text = llvm::formatv("cp.async.cg.shared.global [$0+{0}], [$1+{1}], 16, $2;", offset, firstChunk * 16);
    ptxEffect(text, "r,l,r", {place, source, size});
  };
  for (int64_t pass = 0; pass < shape.passes; ++pass) {
    if (pass && passBytes)
      source = byteOffset(source, passBytes);
    bool guarded = shape.ragged && pass + 1 == shape.passes;
    OpBuilder::InsertionGuard guard(builder);
    if (guarded) {
      Value inTile =
          arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, row, i32(rows - pass * shape.rowsPerPass));
      auto branch = scf::IfOp::create(builder, inTile);
      builder.setInsertionPoint(branch.thenBlock()->getTerminator());
    }
    if (!passBytes) { // rows that are no fixed distance apart: each pass finds its own
      Value number = arith::AddIOp::create(builder, scalar(op.getAt()), i32(pass * shape.rowsPerPass));
      number = arith::AddIOp::create(builder, number, row);
      source = byteOffset(addressOf(from, number, rowExists(pass)), laneBytes(shape.lanesPerRow));
    }
    for (int64_t step = 0; step < shape.chunkSteps; ++step)
      copyChunk(pass, step);
  }
  ptxEffect("cp.async.commit_group;", "", {});
  return success();
}

LogicalResult TileLowering::lowerAwait(AwaitOp op) {
  if (roles)
    return awaitBoxes(op);
  RingType ring = op.getRing().getType();
  if (wideCopies)
    ptxEffect("cp.async.wait_group " + std::to_string(op.getLeaving()) + ";", "~{memory}", {});
  // All threads have landed their part of the tile, and all have finished with what they read before.
  ptxEffect("bar.sync 0;", "~{memory}", {});
  awaited[op.getTile()] = bufferOf(op.getRing(), op.getNumber());
  return success();
}

/// What a thread holds of one row: pairs of neighbouring columns, or the value of the row.
Registers TileLowering::loadRow(const LoweredView &from, Value address, RankedTensorType type) {
  Type element = from.element, i32Type = builder.getI32Type();
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  if (type.getRank() == 1)
    return {LLVM::LoadOp::create(builder, element, address, bytes)};
  Value column = arith::ExtUIOp::create(builder, builder.getI64Type(), quadColumn);
  address = byteOffset(address, arith::MulIOp::create(builder, column, i64(bytes)));
  Registers values;
  for (int64_t n = 0; n < columnAtoms(type); ++n) {
    bool exists = n * 8 < from.columns; // else padding
    Value place = byteOffset(address, i64(n * 8 * bytes));
    if (bytes == 4 && !exists) {
      values.append(2, f32(0));
    } else if (bytes == 4 && wideCopies) {
      llvm::append_range(values, ptxMany("ld.global.v2.f32 {$0, $1}, [$2];", "=f,=f,l", element, 2, place, true));
    } else if (bytes == 4) {
      for (int64_t v = 0; v < 2; ++v)
        values.push_back(LLVM::LoadOp::create(builder, element, byteOffset(place, i64(v * 4)), 4));
    } else if (!exists || wideCopies) {
      values.push_back(exists ? LLVM::LoadOp::create(builder, i32Type, place, 4).getResult() : i32(0));
    } else {
      Value half[2];
      for (int64_t v = 0; v < 2; ++v)
        half[v] = arith::ExtUIOp::create(
            builder, i32Type, LLVM::LoadOp::create(builder, builder.getI16Type(), byteOffset(place, i64(v * 2)), 2));
      values.push_back(arith::OrIOp::create(builder, half[0], arith::ShLIOp::create(builder, half[1], i32(16))));
    }
  }
  return values;
}

/// A tile that no product reads goes from memory to the registers of an accumulator.
LogicalResult TileLowering::lowerLoad(LoadOp op) {
  auto type = cast<RankedTensorType>(op.getTile().getType());
  const LoweredView &from = view(op.getView());
  if (type.getElementType() != from.element || type.getElementTypeBitWidth() < 16)
    return op.emitOpError("expects rows of ") << type.getElementType() << " with 16 or 32 bits, got " << from.element;
  readGeometry();
  int64_t rowsPerWarp = type.getDimSize(0) / warps, slots = rowsPerWarp / 8;
  Value first = arith::AddIOp::create(builder, arith::MulIOp::create(builder, warp, i32(rowsPerWarp)), group);
  first = arith::AddIOp::create(builder, first, scalar(op.getAt()));
  SmallVector<Registers> rows;
  for (int64_t slot = 0; slot < slots; ++slot) {
    Value row = arith::AddIOp::create(builder, first, i32(slot * 8));
    Value exists = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, row, from.length);
    bool packed = type.getElementTypeBitWidth() == 16;
    int64_t count = registersOf(type) / slots;
    SmallVector<Type> types(count, packed ? builder.getI32Type() : type.getElementType());
    auto loaded = scf::IfOp::create(builder, types, exists, /*withElse=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loaded.elseBlock());
    Value otherwise = packed ? i32(0) : f32(type.getRank() == 1 ? op.getOtherwise().convertToFloat() : 0);
    scf::YieldOp::create(builder, SmallVector<Value>(count, otherwise));
    builder.setInsertionPointToStart(loaded.thenBlock());
    scf::YieldOp::create(builder, loadRow(from, addressOf(from, row, exists), type));
    rows.emplace_back(loaded.getResults());
  }
  // Of two rows of an atom the registers take turns.
  int64_t unit = type.getRank() == 1 ? 1 : type.getElementTypeBitWidth() == 16 ? 1 : 2;
  Registers &tile = tiles[op.getTile()];
  for (int64_t atom = 0; atom < slots; atom += 2)
    for (size_t n = 0; n < rows[atom].size(); n += unit)
      for (int64_t slot = atom; slot < atom + 2; ++slot)
        tile.append(rows[slot].begin() + n, rows[slot].begin() + n + unit);
  return success();
}

LogicalResult TileLowering::lowerStore(StoreOp op) {
  if (op.getView().getDefiningOp<AbsentOp>())
    return success();
  auto type = cast<RankedTensorType>(op.getTile().getType());
  if (type.getElementTypeBitWidth() == 16 && type.getElementType() != op.getView().getType().getElement())
    return op.emitOpError("expects a view of ")
           << type.getElementType() << " like the tile, got " << op.getView().getType();
  if (!views.contains(op.getView()) && failed(makeView(op.getView().getDefiningOp<ViewOp>())))
    return failure();
  return op.getVia() ? storeByBoxes(op) : storeByRows(op);
}

/// Two neighbouring 16-bit elements.
void TileLowering::storePair(Value pair, Value place) {
  if (wideCopies) {
    LLVM::StoreOp::create(builder, pair, place, 4);
    return;
  }
  Type half = builder.getI16Type();
  Value high = arith::ShRUIOp::create(builder, pair, i32(16));
  LLVM::StoreOp::create(builder, arith::TruncIOp::create(builder, half, pair), place, 2);
  LLVM::StoreOp::create(builder, arith::TruncIOp::create(builder, half, high), byteOffset(place, i64(2)), 2);
}

/// Each thread writes what it holds of the rows that exist.
LogicalResult TileLowering::storeByRows(StoreOp op) {
  auto type = cast<RankedTensorType>(op.getTile().getType());
  const LoweredView &to = view(op.getView());
  Registers &tile = registers(op.getTile());
  bool perRow = type.getRank() == 1;
  readGeometry();
  int64_t rowsPerWarp = type.getDimSize(0) / warps, atoms = perRow ? 0 : columnAtoms(type);
  int64_t bytes = to.element.getIntOrFloatBitWidth() / 8;
  // One lane of the four that share a row writes a value per row; all four write their columns of a tile.
  Value first = arith::AddIOp::create(builder, arith::MulIOp::create(builder, warp, i32(rowsPerWarp)), group);
  first = arith::AddIOp::create(builder, first, scalar(op.getAt()));
  for (int64_t slot = 0; slot < rowsPerWarp / 8; ++slot) {
    Value row = arith::AddIOp::create(builder, first, i32(slot * 8));
    Value writes = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, row, to.length);
    if (perRow)
      writes = arith::AndIOp::create(builder, writes,
                                     arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, quadColumn, i32(0)));
    auto branch = scf::IfOp::create(builder, writes);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(branch.thenBlock()->getTerminator());
    Value address = addressOf(to, row, writes);
    if (perRow) {
      LLVM::StoreOp::create(builder, tile[slot], address, 4);
      continue;
    }
    Value column = arith::ExtUIOp::create(builder, builder.getI64Type(), quadColumn);
    address = byteOffset(address, arith::MulIOp::create(builder, column, i64(bytes)));
    bool inPairs = type.getElementTypeBitWidth() == 16; // two neighbouring columns in a register
    for (int64_t n = 0; n < atoms && n * 8 < to.columns; ++n) {
      int64_t atom = (slot / 2) * atoms + n;
      Value *pair = &tile[inPairs ? atom * 2 + slot % 2 : atom * 4 + (slot % 2) * 2];
      Value place = byteOffset(address, i64(n * 8 * bytes));
      if (bytes == 4)
        for (int64_t v = 0; v < 2; ++v)
          LLVM::StoreOp::create(builder, pair[v], byteOffset(place, i64(v * 4)), 4);
      else
        storePair(inPairs ? pair[0] : packPair(to.element, pair[0], pair[1]), place);
    }
  }
  return success();
}

} // namespace attn::tile
