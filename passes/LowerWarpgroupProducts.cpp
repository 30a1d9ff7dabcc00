// SPDX-License-Identifier: Apache-2.0
// Matrix products of whole warpgroups: wgmma, one block of assembly for each product.
//
// A block holds the fence, all steps of 16 and the commit, so nothing can come between them: the assembler serialises
// products that anything else is mixed with. Descriptors are made inside it, from a 32-bit address: made outside, each
// would be two registers that live through the loop. A fresh accumulator is an output that the block clobbers early, as
// it still reads addresses when it has begun to write; its first step adds to nothing.
#include "passes/TileLowering.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace attn::tile {
namespace {

/// A tile in shared memory as wgmma's descriptors describe it (PTX ISA, "Matrix descriptor format"). Along its rows the
/// tile lies in slabs of `swizzle` bytes; eight rows of a slab are one atom.
struct DescribedTile {
  int64_t rows, slab, swizzle;

  explicit DescribedTile(RankedTensorType type)
      : rows(type.getDimSize(0)), slab(encodingOf<SharedAttr>(type).getSlab()),
        swizzle(encodingOf<SharedAttr>(type).getSwizzle()) {}

  /// Bits 32 to 63: the distance of atoms one below the other, and the swizzle.
  uint32_t high() const {
    uint32_t mode = swizzle == 128 ? 1 : swizzle == 64 ? 2 : 3;
    return static_cast<uint32_t>(8 * swizzle / 16) | mode << 30;
  }
  /// Bits 16 to 31: the distance of slabs, which counts only where rows are summed over.
  uint32_t leading() const { return static_cast<uint32_t>(rows * swizzle / 16) << 16; }
  /// Distance in bytes of step k where columns are summed over: along a slab, then on to the next one.
  int64_t columnStep(int64_t k) const { return k * 16 / slab * rows * swizzle + k * 16 % slab * 2; }
  /// The same where rows are summed over.
  int64_t rowStep(int64_t k) const { return k * 16 * swizzle; }
};

/// Numbers the operands of a block of assembly: outputs first, then inputs.
class AssemblyBlock {
public:
  AssemblyBlock(int64_t outputs, bool tied) {
    for (int64_t i = 0; i < outputs; ++i)
      constraints += (i ? "," : "") + std::string(tied ? "=f" : "=&f");
    for (int64_t i = 0; tied && i < outputs; ++i)
      constraints += "," + std::to_string(i);
    next = outputs;
  }

  void tie(ArrayRef<Value> values) {
    llvm::append_range(operands, values);
    next += values.size();
  }
  std::string input(Value value) {
    constraints += ",r";
    operands.push_back(value);
    return "$" + std::to_string(next++);
  }

  std::string constraints;
  SmallVector<Value, 0> operands;

private:
  int64_t next;
};

std::string registerList(int64_t count) {
  std::string text = "{";
  for (int64_t i = 0; i < count; ++i)
    text += (i ? "," : "") + ("$" + std::to_string(i));
  return text + "}";
}

} // namespace

/// Which warpgroup this is. Read from one lane, so that the assembler knows it to be the same in all and computes
/// descriptors in uniform registers, which is where the instruction wants them.
Value TileLowering::warpgroupNumber() {
  Value number = arith::ShRUIOp::create(builder, thread, i32(7));
  return ptx("shfl.sync.idx.b32 $0, $1, 0, 31, -1;", "=r,r", builder.getI32Type(), number);
}

/// Address of a tile in shared memory in units of 16 bytes, as descriptors want it.
Value TileLowering::descriptorAddress(SharedBuffer buffer) {
  Value address = arith::AddIOp::create(builder, buffer.base, i32(buffer.offset));
  return arith::ShRUIOp::create(builder, address, i32(4));
}

Registers TileLowering::startProduct(Value lhs, Value rhs, Value acc, bool transB, RankedTensorType type) {
  auto left = cast<RankedTensorType>(lhs.getType()), right = cast<RankedTensorType>(rhs.getType());
  int64_t columns = type.getDimSize(1), steps = left.getDimSize(1) / 16, count = registersOf(type);
  bool sharedA = static_cast<bool>(encodingOf<SharedAttr>(left));
  AssemblyBlock block(count, /*tied=*/acc != nullptr);
  if (acc)
    block.tie(registers(acc));

  DescribedTile b(right);
  std::string bAddress = block.input(descriptorAddress(awaited.lookup(rhs)));
  std::string aAddress;
  if (sharedA) {
    // Each warpgroup has the next 64 rows.
    int64_t groupBytes = 64 * encodingOf<SharedAttr>(left).getSwizzle();
    Value group = warpgroupNumber();
    Value offset = arith::MulIOp::create(builder, group, i32(groupBytes / 16));
    aAddress = block.input(arith::AddIOp::create(builder, descriptorAddress(awaited.lookup(lhs)), offset));
  }

  StringRef element = left.getElementType().isBF16() ? "bf16" : "f16";
  std::string text = "{\n\t.reg .b32 low;\n\t.reg .b64 a, b;\n\twgmma.fence.sync.aligned;\n\t";
  auto describe = [&](StringRef name, const std::string &address, int64_t bytes, uint32_t leading, uint32_t high) {
    text += llvm::formatv("add.s32 low, {0}, {1};\n\tmov.b64 {2}, {{low, {3}};\n\t", address, bytes / 16 + leading,
                          name, static_cast<int32_t>(high));
  };
  for (int64_t k = 0; k < steps; ++k) {
    std::string a;
    if (sharedA) {
      DescribedTile described(left);
      describe("a", aAddress, described.columnStep(k), 0, described.high());
      a = "a";
    } else {
      Registers &all = registers(lhs);
      a = "{";
      for (int64_t r = 0; r < 4; ++r)
        a += (r ? "," : "") + block.input(all[k * 4 + r]);
      a += "}";
    }
    describe("b", bAddress, transB ? b.columnStep(k) : b.rowStep(k), transB ? 0 : b.leading(), b.high());
    text +=
        llvm::formatv("wgmma.mma_async.sync.aligned.m64n{0}k16.f32.{1}.{1} {2}, {3}, b, {4}, 1, 1{5}, {6};\n\t",
                      columns, element, registerList(count), a, acc || k ? 1 : 0, sharedA ? ", 0" : "", transB ? 0 : 1);
  }
  text += "wgmma.commit_group.sync.aligned;\n\t}";
  return ptxMany(text, block.constraints + ",~{memory}", builder.getF32Type(), count, block.operands, /*effects=*/true);
}

/// Products complete in order; what the wait guards passes through it, so that no use can come before.
Registers TileLowering::waitForProduct(ArrayRef<Value> product, int64_t leaving) {
  AssemblyBlock block(product.size(), /*tied=*/true);
  block.tie(product);
  return ptxMany(llvm::formatv("wgmma.wait_group.sync.aligned {0};", leaving).str(), block.constraints + ",~{memory}",
                 builder.getF32Type(), product.size(), block.operands, /*effects=*/true);
}

LogicalResult TileLowering::lowerWarpgroupDot(DotOp op) {
  auto type = cast<RankedTensorType>(op.getResult().getType());
  Registers product = startProduct(op.getLhs(), op.getRhs(), op.getAcc(), op.getTransB(), type);
  tiles[op.getResult()] = waitForProduct(product, 0);
  return success();
}

LogicalResult TileLowering::lowerDotStart(DotStartOp op) {
  auto type = op.getResult().getType().getTile();
  tiles[op.getResult()] = startProduct(op.getLhs(), op.getRhs(), op.getAcc(), op.getTransB(), type);
  return success();
}

LogicalResult TileLowering::lowerDotWait(DotWaitOp op) {
  tiles[op.getResult()] = waitForProduct(registers(op.getProduct()), op.getLeaving());
  return success();
}

} // namespace attn::tile
