// SPDX-License-Identifier: Apache-2.0
// Roles of warpgroups: mbarriers, copies by boxes of a tensor map, and who may use how many registers.
//
// Each stage of a ring has two mbarriers. `full` completes when the bytes of a fill have arrived, `empty` when every
// computing warp has released the stage. Fill n uses stage n mod stages for the (n / stages)-th time; the parity of
// that number is the phase that `full` is waited for with, and its opposite the one that the loading role waits for
// `empty` with, which lets the first fills through a fresh barrier.
#include "passes/SharedFragments.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace attn::tile {

// Hardware barriers. 0 is everyone's; stores and turns have one for each of up to three warpgroups.
static constexpr int64_t kBlankBarrier = 1, kStoreBarrier = 2, kTurnBarrier = 5;

/// What one instruction copies, in the words of the kernel file: rows of one slab of one head, or of the heads of a
/// group. Heads are the inner one of these two dimensions, so the box lies in shared memory as rows are counted.
std::string TileLowering::boxOf(Value viewValue, int64_t rows, SharedAttr layout) {
  auto view = viewValue.getDefiningOp<ViewOp>();
  int64_t heads = view.getPacked();
  return llvm::formatv("map {0} box [1, {1}, {2}, {3}] swizzle {4}", argumentName(view.getBase()), rows / heads, heads,
                       layout.getSlab(), layout.getSwizzle());
}

std::string TileLowering::boxOf(FillOp fill) {
  RankedTensorType tile = cast<RingType>(fill.getRing().getType()).getTile();
  return boxOf(fill.getView(), tile.getDimSize(0), encodingOf<SharedAttr>(tile));
}

/// A warpgroup stores its own rows.
std::string TileLowering::boxOf(StoreOp store) { return boxOf(store.getView(), 64, layoutOfStore(store)); }

SharedAttr TileLowering::layoutOfStore(StoreOp store) {
  auto tile = cast<RankedTensorType>(store.getTile().getType());
  Type element = store.getView().getType().getElement();
  return sharedLayoutOf(RankedTensorType::get(tile.getShape(), element));
}

Value TileLowering::mapParameter(StringRef box) { return target.getArgument(parameterIndex.lookup(box)); }

/// Address of the barrier of a fill's stage; `empty` ones lie behind the `full` ones.
Value TileLowering::barrierOf(Value ring, Value number, bool empty) {
  int64_t stages = cast<RingType>(ring.getType()).getStages();
  int64_t offset = barrierOffsets.lookup(ring) + (empty ? stages * 8 : 0);
  Value address = sharedBase;
  if (stages > 1) {
    Value stage = arith::RemUIOp::create(builder, scalar(number), i32(stages));
    address = arith::AddIOp::create(builder, address, arith::ShLIOp::create(builder, stage, i32(3)));
  }
  return arith::AddIOp::create(builder, address, i32(offset));
}

/// The parity of how often the stage of fill `number` was used before.
Value TileLowering::phaseOf(Value ring, Value number) {
  int64_t stages = cast<RingType>(ring.getType()).getStages();
  Value uses = arith::DivUIOp::create(builder, scalar(number), i32(stages));
  return arith::AndIOp::create(builder, uses, i32(1));
}

void TileLowering::waitForBarrier(Value barrier, Value phase) {
  ptxEffect("{\n\t.reg .pred done;\nretry:\n\tmbarrier.try_wait.parity.shared::cta.b64 done, [$0], $1;\n\t"
            "@!done bra retry;\n\t}",
            "r,r,~{memory}", {barrier, phase});
}

/// Barriers behind the buffers of all rings; one thread makes them before any role begins.
void TileLowering::createBarriers() {
  sharedBytes = llvm::alignTo(sharedBytes, 8);
  for (auto &[ring, offset] : ringOffsets) {
    if (isOwnBuffer(ring))
      continue; // nobody waits for its fills
    barrierOffsets[ring] = sharedBytes;
    sharedBytes += 16 * cast<RingType>(ring.getType()).getStages();
  }
  Value first = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, thread, i32(0));
  auto branch = scf::IfOp::create(builder, first);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(branch.thenBlock()->getTerminator());
    for (auto &[ring, offset] : barrierOffsets) {
      int64_t stages = cast<RingType>(ring.getType()).getStages();
      for (int64_t stage = 0; stage < 2 * stages; ++stage) {
        int64_t arrivals = stage < stages ? 1 : warps;
        ptxEffect(llvm::formatv("mbarrier.init.shared::cta.b64 [$0+{0}], {1};", offset + stage * 8, arrivals).str(),
                  "r,~{memory}", sharedBase);
      }
    }
    ptxEffect("fence.mbarrier_init.release.cluster;", "~{memory}", {});
  }
  ptxEffect("bar.sync 0;", "~{memory}", {});
}

LogicalResult TileLowering::lowerRoles(RolesOp op) {
  createBarriers();
  Value loads = arith::CmpIOp::create(builder, arith::CmpIPredicate::uge, thread, i32(warps * 32));
  auto roles = scf::IfOp::create(builder, loads, /*withElse=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(roles.thenBlock()->getTerminator());
  ptxEffect(llvm::formatv("setmaxnreg.dec.sync.aligned.u32 {0};", op.getLoadRegisters()).str(), "", {});
  // One thread begins all copies; the other warps of the role are done.
  Value one = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, thread, i32(warps * 32));
  auto elected = scf::IfOp::create(builder, one);
  builder.setInsertionPoint(elected.thenBlock()->getTerminator());
  if (failed(lowerRole(op.getLoad())))
    return failure();
  builder.setInsertionPoint(roles.elseBlock()->getTerminator());
  ptxEffect(llvm::formatv("setmaxnreg.inc.sync.aligned.u32 {0};", op.getComputeRegisters()).str(), "", {});
  return lowerRole(op.getCompute());
}

/// Programs share out what would be a grid; as many are started as multiprocessors can take one each.
LogicalResult TileLowering::lowerWorker(WorkerOp op) {
  scalars[op.getNumber()] = NVVM::BlockIdXOp::create(builder, builder.getI32Type());
  scalars[op.getCount()] = NVVM::GridDimXOp::create(builder, builder.getI32Type());
  std::string text = describe(op.getItems());
  if (StringRef inner(text); inner.starts_with("(") && inner.ends_with(")"))
    text = inner.drop_front().drop_back().str();
  target->setAttr("attn.grid", builder.getStringAttr("min(" + text + ", multiprocessors)"));
  return success();
}

/// The body of a role. What is computed once is computed once in each, behind the branch to it.
LogicalResult TileLowering::lowerRole(Region &role) {
  if (role.empty())
    return success();
  auto outerOnce = std::exchange(computedOnce, {});
  auto outerTop = std::exchange(topPoint, i32(0).getDefiningOp());
  readGeometry();
  bool turns = role.walk([](TakeTurnOp) { return WalkResult::interrupt(); }).wasInterrupted();
  if (turns)
    openTurns();
  LogicalResult result = lowerBlock(role.front());
  if (turns)
    closeTurns();
  // Shared memory goes when the program's last thread does.
  if (role.walk([](StoreOp store) { return WalkResult(failure(bool(store.getVia()))); }).wasInterrupted())
    ptxEffect("cp.async.bulk.wait_group.read 0;", "~{memory}", {});
  computedOnce = std::move(outerOnce);
  topPoint = outerTop;
  return result;
}

/// A box of several heads holds all of them for each of its tokens.
static LogicalResult checkBox(Operation *op, int64_t rows, const LoweredView &view) {
  if (rows % view.packed == 0)
    return success();
  return op->emitOpError("expects boxes of whole tokens: ")
         << rows << " rows are no multiple of " << view.packed << " heads";
}

LogicalResult TileLowering::fillByBoxes(FillOp op) {
  RingType ring = op.getRing().getType();
  RankedTensorType tile = ring.getTile();
  SharedAttr shared = encodingOf<SharedAttr>(tile);
  const LoweredView &from = view(op.getView());
  if (failed(checkBox(op, tile.getDimSize(0), from)))
    return failure();
  Value token = tokenOf(from, scalar(op.getAt()));
  Value phase = phaseOf(op.getRing(), op.getNumber());
  waitForBarrier(barrierOf(op.getRing(), op.getNumber(), /*empty=*/true),
                 arith::XOrIOp::create(builder, phase, i32(1)));
  Value full = barrierOf(op.getRing(), op.getNumber(), /*empty=*/false);
  ptxEffect(llvm::formatv("mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], {0};", sharedBytesOf(tile)).str(),
            "r,~{memory}", full);
  SharedBuffer buffer = bufferOf(op.getRing(), op.getNumber());
  int64_t slabBytes = tile.getDimSize(0) * shared.getSwizzle();
  Value map = mapParameter(boxOf(op));
  for (int64_t slab = 0; slab * shared.getSlab() < tile.getDimSize(1); ++slab)
    ptxEffect(llvm::formatv("cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
                            "[$0+{0}], [$1, {{{1}, $2, $3, $4}], [$5];",
                            buffer.offset + slab * slabBytes, slab * shared.getSlab())
                  .str(),
              "r,l,r,r,r,r,~{memory}", {buffer.base, map, from.head, token, from.batch, full});
  return success();
}

bool endsInside(StoreOp store) {
  std::function<bool(Value)> isSize = [&](Value value) {
    if (auto product = value.getDefiningOp<arith::MulIOp>()) // tokens and the heads of a group
      return isSize(product.getLhs()) && isSize(product.getRhs());
    return value.getDefiningOp<memref::DimOp>() || matchPattern(value, m_Constant());
  };
  auto view = store.getView().getDefiningOp<ViewOp>();
  return view && !isSize(view.getLength());
}

/// Whether nothing but stores passes through a ring.
bool TileLowering::isOwnBuffer(Value ring) { return llvm::all_of(ring.getUsers(), llvm::IsaPred<StoreOp>); }

/// A box writes 64 rows, and ends only where the tensor does: rows of a warpgroup of which some do not exist, though
/// the tensor has room for them, are written one by one.
LogicalResult TileLowering::storeByBoxes(StoreOp op) {
  if (failed(checkBox(op, 64, view(op.getView()))))
    return failure();
  readGeometry();
  if (!endsInside(op))
    return storeBox(op), success();
  Value group = warpgroupNumber();
  Value left = arith::SubIOp::create(builder, view(op.getView()).length, scalar(op.getAt()));
  Value end = arith::AddIOp::create(builder, arith::MulIOp::create(builder, group, i32(64)), i32(64));
  Value whole = arith::CmpIOp::create(builder, arith::CmpIPredicate::sge, left, end);
  auto branch = scf::IfOp::create(builder, whole, /*withElse=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  storeBox(op);
  builder.setInsertionPoint(branch.elseBlock()->getTerminator());
  return storeByRows(op);
}

/// Each warpgroup writes its rows into its part of the buffer, and one of its threads copies them from there.
void TileLowering::storeBox(StoreOp op) {
  auto type = cast<RankedTensorType>(op.getTile().getType());
  const LoweredView &to = view(op.getView());
  SharedAttr layout = layoutOfStore(op);
  int64_t rows = type.getDimSize(0), groupBytes = 64 * layout.getSwizzle();
  Value group = warpgroupNumber();
  Value barrier = arith::AddIOp::create(builder, group, i32(kStoreBarrier));
  bool own = isOwnBuffer(op.getVia());
  if (own) { // the last item's rows have left; the thread that began their copy waits for it
    ptxEffect("cp.async.bulk.wait_group.read 0;", "~{memory}", {});
    ptxEffect("bar.sync $0, 128;", "r,~{memory}", barrier);
  }
  SharedBuffer buffer{sharedBase, ringOffsets[op.getVia()]};
  SharedFragments fragments(*this, buffer, rows, layout, Second::Below, /*rowsPerWarp=*/16);
  Registers &tile = registers(op.getTile());
  for (int64_t n = 0; n < columnAtoms(type); n += 2) {
    SmallVector<Value> four;
    for (int64_t pair = 0; pair < 4; ++pair)
      four.push_back(packPair(to.element, tile[n * 4 + pair * 2], tile[n * 4 + pair * 2 + 1]));
    fragments.write(0, n * 8, four);
  }
  ptxEffect("fence.proxy.async.shared::cta;", "~{memory}", {});
  ptxEffect("bar.sync $0, 128;", "r,~{memory}", barrier);
  Value inGroup = arith::AndIOp::create(builder, thread, i32(127));
  Value first = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, inGroup, i32(0));
  auto branch = scf::IfOp::create(builder, first);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  Value row = arith::AddIOp::create(builder, scalar(op.getAt()), arith::MulIOp::create(builder, group, i32(64)));
  Value base = arith::AddIOp::create(builder, buffer.base, arith::MulIOp::create(builder, group, i32(groupBytes)));
  Value map = mapParameter(boxOf(op));
  for (int64_t slab = 0; slab * layout.getSlab() < type.getDimSize(1); ++slab)
    ptxEffect(llvm::formatv("cp.async.bulk.tensor.4d.global.shared::cta.tile.bulk_group [$0, {{{0}, $1, $2, $3}], "
                            "[$4+{1}];",
                            slab * layout.getSlab(), buffer.offset + slab * rows * layout.getSwizzle())
                  .str(),
              "l,r,r,r,r,~{memory}", {map, to.head, tokenOf(to, row), to.batch, base});
  ptxEffect("cp.async.bulk.commit_group;", "~{memory}", {});
  if (!own) // the next fill overwrites it
    ptxEffect("cp.async.bulk.wait_group.read 0;", "~{memory}", {});
}

/// Barrier of the turn of a warpgroup: it waits there itself, the one before arrives.
Value TileLowering::turnBarrier(Value group) { return arith::AddIOp::create(builder, group, i32(kTurnBarrier)); }

/// The last warpgroup makes the first one's first turn.
void TileLowering::openTurns() {
  Value last = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, warpgroupNumber(), i32(warps / 4 - 1));
  auto branch = scf::IfOp::create(builder, last);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  ptxEffect("bar.arrive $0, 256;", "r,~{memory}", turnBarrier(i32(0)));
}

/// What the last warpgroup passes on at the end, the first one takes.
void TileLowering::closeTurns() {
  Value first = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, warpgroupNumber(), i32(0));
  auto branch = scf::IfOp::create(builder, first);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  ptxEffect("bar.sync $0, 256;", "r,~{memory}", turnBarrier(i32(0)));
}

LogicalResult TileLowering::lowerSignal(TakeTurnOp) {
  ptxEffect("bar.sync $0, 256;", "r,~{memory}", turnBarrier(warpgroupNumber()));
  return success();
}

LogicalResult TileLowering::lowerSignal(PassTurnOp) {
  Value next = arith::AddIOp::create(builder, warpgroupNumber(), i32(1));
  Value wraps = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, next, i32(warps / 4));
  next = arith::SelectOp::create(builder, wraps, i32(0), next);
  ptxEffect("bar.arrive $0, 256;", "r,~{memory}", turnBarrier(next));
  return success();
}

LogicalResult TileLowering::awaitBoxes(AwaitOp op) {
  waitForBarrier(barrierOf(op.getRing(), op.getNumber(), /*empty=*/false), phaseOf(op.getRing(), op.getNumber()));
  awaited[op.getTile()] = bufferOf(op.getRing(), op.getNumber());
  return success();
}

/// One lane of each warp arrives for it.
LogicalResult TileLowering::lowerRelease(ReleaseOp op) {
  if (barrierOffsets.empty())
    return success(); // without roles the barrier of the next await releases
  Value first =
      arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, arith::AndIOp::create(builder, thread, i32(31)), i32(0));
  Value barrier = barrierOf(op.getRing(), op.getNumber(), /*empty=*/true);
  ptxEffect("{\n\t.reg .pred first;\n\tsetp.ne.b32 first, $1, 0;\n\t"
            "@first mbarrier.arrive.shared::cta.b64 _, [$0];\n\t}",
            "r,r,~{memory}", {barrier, arith::ExtUIOp::create(builder, builder.getI32Type(), first)});
  return success();
}

/// Rows of each slab behind the sequence's end are overwritten by all computing threads, 16 bytes at a time.
LogicalResult TileLowering::lowerBlank(BlankOp op) {
  RankedTensorType tile = cast<RingType>(op.getRing().getType()).getTile();
  int64_t rows = tile.getDimSize(0), rowBytes = encodingOf<SharedAttr>(tile).getSwizzle();
  int64_t slabs = sharedBytesOf(tile) / (rows * rowBytes);
  SharedBuffer buffer = bufferOf(op.getRing(), op.getNumber());
  Value left = arith::SubIOp::create(builder, view(op.getView()).length, scalar(op.getAt()));
  Value cut = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, left, i32(rows));
  auto branch = scf::IfOp::create(builder, cut);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  Value from = arith::MaxSIOp::create(builder, left, i32(0));
  from = arith::MulIOp::create(builder, from, i32(rowBytes));
  Value own = arith::ShLIOp::create(builder, thread, i32(4));
  auto loop = scf::ForOp::create(builder, arith::AddIOp::create(builder, from, own), i32(rows * rowBytes),
                                 i32(warps * 32 * 16));
  {
    OpBuilder::InsertionGuard inLoop(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value place = arith::AddIOp::create(builder, buffer.base, loop.getInductionVar());
    for (int64_t slab = 0; slab < slabs; ++slab)
      ptxEffect(
          llvm::formatv("st.shared.v4.b32 [$0+{0}], {{$1, $1, $1, $1};", buffer.offset + slab * rows * rowBytes).str(),
          "r,r,~{memory}", {place, i32(0)});
  }
  // The products read by the asynchronous proxy.
  ptxEffect("fence.proxy.async.shared::cta;", "~{memory}", {});
  ptxEffect(llvm::formatv("bar.sync {0}, {1};", kBlankBarrier, warps * 32).str(), "~{memory}", {});
  return success();
}

} // namespace attn::tile
