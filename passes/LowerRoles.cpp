// SPDX-License-Identifier: Apache-2.0
// Roles of warpgroups: mbarriers, copies by boxes of a tensor map, and who may use how many registers.
//
// Each stage of a ring has two mbarriers. `full` completes when the bytes of a fill have arrived, `empty` when every
// computing warp has released the stage. Fill n uses stage n mod stages for the (n / stages)-th time; the parity of
// that number is the phase that `full` is waited for with, and its opposite the one that the loading role waits for
// `empty` with, which lets the first fills through a fresh barrier.
#include "passes/TileLowering.h"

#include "mlir/IR/Matchers.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace attn::tile {

/// What a fill copies with one instruction, in the words of the kernel file: rows of one slab of one head.
std::string TileLowering::boxOf(FillOp fill) {
  RankedTensorType tile = cast<RingType>(fill.getRing().getType()).getTile();
  SharedAttr shared = encodingOf<SharedAttr>(tile);
  auto view = fill.getView().getDefiningOp<ViewOp>();
  return llvm::formatv("map {0} box [1, {1}, 1, {2}] swizzle {3}", argumentName(view.getBase()), tile.getDimSize(0),
                       shared.getSlab(), shared.getSwizzle());
}

Value TileLowering::mapParameter(FillOp fill) { return target.getArgument(parameterIndex.lookup(boxOf(fill))); }

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

/// The body of a role. What is computed once is computed once in each, behind the branch to it.
LogicalResult TileLowering::lowerRole(Region &role) {
  if (role.empty())
    return success();
  auto outerOnce = std::exchange(computedOnce, {});
  auto outerTop = std::exchange(topPoint, i32(0).getDefiningOp());
  readGeometry();
  LogicalResult result = lowerBlock(role.front());
  computedOnce = std::move(outerOnce);
  topPoint = outerTop;
  return result;
}

LogicalResult TileLowering::fillByBoxes(FillOp op) {
  RingType ring = op.getRing().getType();
  RankedTensorType tile = ring.getTile();
  SharedAttr shared = encodingOf<SharedAttr>(tile);
  const LoweredView &from = view(op.getView());
  Value phase = phaseOf(op.getRing(), op.getNumber());
  waitForBarrier(barrierOf(op.getRing(), op.getNumber(), /*empty=*/true),
                 arith::XOrIOp::create(builder, phase, i32(1)));
  Value full = barrierOf(op.getRing(), op.getNumber(), /*empty=*/false);
  ptxEffect(llvm::formatv("mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], {0};", sharedBytesOf(tile)).str(),
            "r,~{memory}", full);
  SharedBuffer buffer = bufferOf(op.getRing(), op.getNumber());
  int64_t slabBytes = tile.getDimSize(0) * shared.getSwizzle();
  Value map = mapParameter(op);
  for (int64_t slab = 0; slab * shared.getSlab() < tile.getDimSize(1); ++slab)
    ptxEffect(llvm::formatv("cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
                            "[$0+{0}], [$1, {{{1}, $2, $3, $4}], [$5];",
                            buffer.offset + slab * slabBytes, slab * shared.getSlab())
                  .str(),
              "r,l,r,r,r,r,~{memory}", {buffer.base, map, from.head, scalar(op.getAt()), from.batch, full});
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
  ptxEffect(llvm::formatv("bar.sync 1, {0};", warps * 32).str(), "~{memory}", {});
  return success();
}

} // namespace attn::tile
